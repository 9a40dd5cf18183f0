/** One watchlist: its search to add, and its grid. Rows are chosen by pointer or arrows, moved by drag or Alt and arrows. */

import type { CellClickedEvent, CellKeyDownEvent, FullWidthCellKeyDownEvent, GridApi, RowDragEndEvent } from 'ag-grid-community'
import { useEffect, useRef, useState } from 'preact/hooks'

import { sentence } from '../../api/rest'
import type { Instrument, InstrumentKey } from '../../api/types'
import { notify } from '../../state/notifications'
import { select, selectedInstrument } from '../../state/selection'
import { refusalSignal, useTopic } from '../../state/store'
import { Grid } from '../../ui/Grid'
import { Empty, ErrorNote, Loading } from '../../ui/Notes'
import { InstrumentSearch } from '../../workspace/InstrumentSearch'
import { watchColumns } from './columns'
import { addTo, closesOf, orderItems, removeFrom } from './lists'
import { movedIds, watchRows, type Closes, type WatchRow } from './rows'

const CLOSES_MILLISECONDS = 60_000

export function WatchGrid({ id }: { id: number }) {
  const topic = useTopic(`watchlist.${id}`)
  const refused = refusalSignal(`watchlist.${id}`).value
  const closes = useCloses(topic?.instruments)
  const before = useRef<readonly WatchRow[]>([])
  const rows = topic ? watchRows(topic, closes, before.current) : []
  before.current = rows

  useEffect(() => {
    const first = rows[0]
    if (first && selectedInstrument.value === null) select(first.instrument)
  }, [rows.length > 0])

  if (refused) return <ErrorNote error="This watchlist cannot be shown now." />
  return (
    <>
      <div class="watch-search">
        <InstrumentSearch
          label="Add an instrument to this watchlist"
          placeholder="Add: reliance, nifty 26000 ce"
          onChoose={(instrument) => void add(id, instrument)}
        />
      </div>
      {!topic && <Loading what="Loading the list" />}
      {topic && !rows.length && <Empty title="Nothing in this list yet. Add the first instrument above." />}
      {rows.length > 0 && <Rows id={id} rows={rows} />}
    </>
  )
}

function Rows({ id, rows }: { id: number; rows: readonly WatchRow[] }) {
  const [columns] = useState(() => watchColumns((row) => void remove(id, row)))
  const options = {
    autoSizeStrategy: undefined,
    rowDragManaged: true,
    onCellClicked: ({ data }: CellClickedEvent<WatchRow>) => data && select(data.instrument),
    onCellKeyDown: (event: CellKeyDownEvent<WatchRow> | FullWidthCellKeyDownEvent<WatchRow>) => onKey(id, event),
    onRowDragEnd: (event: RowDragEndEvent<WatchRow>) => void reorder(id, shownIds(event.api)),
  }
  return <Grid label="Watchlist" columns={columns} rows={rows} rowId={(row) => row.instrument} options={options} />
}

function onKey(id: number, event: CellKeyDownEvent<WatchRow> | FullWidthCellKeyDownEvent<WatchRow>): void {
  const { api, data, rowIndex, event: key } = event
  if (!data || rowIndex === null || !(key instanceof KeyboardEvent)) return
  if (key.key === 'Delete') void remove(id, data)
  const step = { ArrowUp: -1, ArrowDown: 1 }[key.key]
  if (!step) return
  if (key.altKey) {
    key.preventDefault()
    void reorder(id, movedIds(shownIds(api), data.item.id, step))
  } else {
    const next = api.getDisplayedRowAtIndex(rowIndex + step)?.data
    if (next) select(next.instrument)
  }
}

function shownIds(api: GridApi<WatchRow>): number[] {
  const ids: number[] = []
  api.forEachNode(({ data }) => data && ids.push(data.item.id))
  return ids
}

async function add(id: number, instrument: Instrument): Promise<void> {
  try {
    const change = await addTo(id, instrument.instrument)
    select(instrument.instrument)
    if (change.subscriptions > 1) {
      const text = `${change.subscriptions} contracts around its price are live with it.`
      notify({ tone: 'info', title: `${instrument.symbol} added`, text, instrument: instrument.instrument })
    }
  } catch (error) {
    notify({ tone: 'bad', title: `${instrument.symbol} was not added`, text: sentence(error) })
  }
}

/** Asked no question: adding it again gives the same row back. */
async function remove(id: number, row: WatchRow): Promise<void> {
  try {
    await removeFrom(id, row.instrument)
  } catch (error) {
    notify({ tone: 'bad', title: `${row.item.symbol} was not removed`, text: sentence(error) })
  }
}

async function reorder(id: number, items: readonly number[]): Promise<void> {
  try {
    await orderItems(id, items)
  } catch (error) {
    notify({ tone: 'bad', title: 'The order was not kept', text: sentence(error) })
  }
}

const NO_CLOSES: Closes = new Map()

/** Asked for now and once a minute; a failure leaves the lines as they were. */
function useCloses(instruments: readonly InstrumentKey[] | undefined): Closes {
  const [closes, setCloses] = useState(NO_CLOSES)
  const wanted = instruments?.join() ?? ''
  useEffect(() => {
    if (!wanted) return undefined
    let shown = true
    const load = () => closesOf(wanted.split(',')).then((told) => shown && setCloses(told), () => undefined)
    void load()
    const timer = setInterval(load, CLOSES_MILLISECONDS)
    return () => {
      shown = false
      clearInterval(timer)
    }
  }, [wanted])
  return closes
}
