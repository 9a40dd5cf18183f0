/** Puts the hand-written table into the page and gives it each frame's figures. */

import { effect } from '@preact/signals'
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
import type { Column } from './columns'
import { ChainGrid } from './grid'
import { addToWatchlist } from './watching'

export interface ChainTableProps {
  topic: string
  onLeg: (leg: Leg) => void
}

export function ChainTable({ topic, onLeg }: ChainTableProps) {
  const host = useRef<HTMLDivElement>(null)
  const grid = useRef<ChainGrid | null>(null)
  const known = topicSignal(topic).value !== undefined // read so that the note goes when the first snapshot is there
  useEffect(() => subscribe(topic), [topic])
  useEffect(() => {
    const made = new ChainGrid({
      select: (leg) => {
        select(leg.instrument)
        onLeg(leg)
      },
      trade: ({ instrument }, side, price) => openTicket({ instrument, side, price, order_type: 'LIMIT' }),
      watch: ({ instrument }) => void addToWatchlist(instrument),
    })
    grid.current = made
    host.current?.append(made.element)
    const stop = effect(drawing(made, topic))
    return () => {
      stop()
      made.dispose()
    }
  }, [topic])
  return (
    <div class="chain-body">
      {!known && <Loading what="Waiting for the chain" />}
      <div class="chain-host" ref={host} />
      <button
        type="button"
        class="chain-centre"
        title="Back to the strike at the money"
        onClick={() => grid.current?.centre()}
      >
        ATM
      </button>
    </div>
  )
}

/** Runs whenever the topic or the choice of columns changes; makes the table anew only when what it shows is other. */
function drawing(grid: ChainGrid, name: string): () => void {
  let instruments: readonly string[] = []
  let columns: readonly Column[] = []
  let layout: ChainLayout = { strikes: [], referenceRow: null }
  return () => {
    const topic = topicSignal(name).value
    const wanted = columnChoice.value
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
