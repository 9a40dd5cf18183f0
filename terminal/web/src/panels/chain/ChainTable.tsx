/** Puts the hand-written table into the page and gives it each frame's figures. */

import { computed, effect, signal, useComputed, useSignal, type ReadonlySignal } from '@preact/signals'
import { useEffect, useRef } from 'preact/hooks'

import {
  atmStrike,
  layoutOf,
  type ChainAnalytics,
  type ChainDetails,
  type ChainLayout,
  type Leg,
} from '../../analytics/chain'
import { select } from '../../state/selection'
import { value } from '../../state/quote'
import { subscribe, topicSignal } from '../../state/store'
import type { TopicState } from '../../state/topics'
import { Loading } from '../../ui/Notes'
import { openTicket } from '../../workspace/panels'
import { columnChoice } from './choice'
import { chosenColumns, fittingColumns, type Column } from './columns'
import { ChainGrid } from './grid'
import { addToWatchlist } from './watching'

export interface ChainTableProps {
  topic: string
  onLeg: (leg: Leg) => void
}

export function ChainTable({ topic, onLeg }: ChainTableProps) {
  const host = useRef<HTMLDivElement>(null)
  const grid = useRef<ChainGrid | null>(null)
  const hidden = useSignal(0)
  const known = useComputed(() => topicSignal(topic).value !== undefined).value
  useEffect(() => subscribe(topic), [topic])
  useEffect(() => {
    if (!host.current) return undefined
    const made = gridOf(onLeg)
    const [columns, stopFitting] = columnsFor(host.current)
    grid.current = made
    host.current.append(made.element)
    const drawing = effect(drawn(made, topic, columns))
    const counting = effect(() => void (hidden.value = columnChoice.value.length - columns.value.length))
    return () => {
      drawing()
      counting()
      stopFitting()
      made.dispose()
    }
  }, [topic])
  return (
    <div class="chain-body">
      {!known && <Loading what="Waiting for the chain" />}
      <div class="chain-host" ref={host} />
      <div class="chain-over">
        {hidden.value > 0 && <span>+{hidden.value} columns when wider</span>}
        <button type="button" title="Back to the strike at the money" onClick={() => grid.current?.centre()}>
          ATM
        </button>
      </div>
    </div>
  )
}

function gridOf(onLeg: (leg: Leg) => void): ChainGrid {
  return new ChainGrid({
    select: (leg) => {
      select(leg.instrument)
      onLeg(leg)
    },
    trade: ({ instrument }, side, price) => openTicket({ instrument, side, price, order_type: 'LIMIT' }),
    watch: ({ instrument }) => void addToWatchlist(instrument),
  })
}

/** The chosen columns that fit into an element as wide as it is now; the same array until they are others. */
function columnsFor(element: HTMLElement): [columns: ReadonlySignal<readonly Column[]>, stop: () => void] {
  const width = signal(element.clientWidth)
  const resized = new ResizeObserver(() => (width.value = element.clientWidth))
  resized.observe(element)
  const ids = computed(() =>
    fittingColumns(columnChoice.value, width.value)
      .map((column) => column.id)
      .join(),
  )
  return [computed(() => chosenColumns(ids.value.split(','))), () => resized.disconnect()]
}

/** Runs whenever the topic or the columns change; makes the table anew only when what it shows is other. */
function drawn(grid: ChainGrid, name: string, fitting: ReadonlySignal<readonly Column[]>): () => void {
  let instruments: readonly string[] = []
  let columns: readonly Column[] = []
  let layout: ChainLayout = { strikes: [], referenceRow: null }
  return () => {
    const topic = topicSignal(name).value
    const wanted = fitting.value
    if (!topic) return
    if (topic.instruments !== instruments || wanted !== columns) {
      ;[instruments, columns] = [topic.instruments, wanted]
      layout = layoutOf(instruments, topic.details as unknown as ChainDetails)
      grid.build(layout.strikes, columns)
    }
    show(grid, topic, layout)
  }
}

function show(grid: ChainGrid, topic: TopicState, layout: ChainLayout): void {
  const analytics = (topic.values['ANALYTICS'] as ChainAnalytics | undefined) ?? null
  const reference = layout.referenceRow === null ? undefined : topic.rows[layout.referenceRow]
  const referencePrice = reference ? value(topic, reference, 'last_price') : 0
  grid.update({
    columns: topic.columns,
    rows: topic.rows,
    figureColumns: analytics?.columns ?? [],
    figureRows: analytics?.rows ?? [],
    atm: atmStrike(layout, analytics, referencePrice, (topic.details as unknown as ChainDetails).atm_strike),
  })
}
