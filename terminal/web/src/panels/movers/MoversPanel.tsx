/** Gainers, losers, the most active and where open interest moved; asked for anew every few seconds. */

import { useEffect, useState } from 'preact/hooks'

import { api, withQuery } from '../../api/rest'
import type { InstrumentKey } from '../../api/types'
import { percent, short, tone, UNKNOWN } from '../../format/price'
import { select, selectedInstrument } from '../../state/selection'
import { Select } from '../../ui/Field'
import { Empty, ErrorNote, Loading } from '../../ui/Notes'
import { Tabs } from '../../ui/Tabs'
import { labelOf } from '../../trading/names'
import type { PanelProps } from '../../workspace/panels'

const EVERY_MILLISECONDS = 5_000
const SHOWN = 40

const KINDS = [
  { id: 'GAINERS', title: 'Gainers' },
  { id: 'LOSERS', title: 'Losers' },
  { id: 'MOST_ACTIVE', title: 'Active' },
  { id: 'OI_GAINERS', title: 'OI up' },
  { id: 'OI_LOSERS', title: 'OI down' },
]
const TYPES = [
  ['', 'Everything'],
  ['EQUITY', 'Shares'],
  ['INDEX', 'Indices'],
  ['FUTIDX,FUTSTK,FUTCOM', 'Futures'],
  ['OPTIDX,OPTSTK,OPTFUT', 'Options'],
] as const

interface Mover {
  instrument: InstrumentKey
  symbol: string
  name: string
  last_price: string | null
  change_percent: number
  value: string
  open_interest: number
  open_interest_percent: number
  stale: boolean
}

interface Movers {
  kind: string
  subscribed: number
  results: Mover[]
}

export function MoversPanel({ params, setParams }: PanelProps) {
  const kind = String(params['kind'] ?? 'GAINERS')
  const types = String(params['types'] ?? '')
  const { movers, error, retry } = useMovers(kind, types)
  return (
    <section data-panel="movers" aria-label="Movers">
      <div class="panel-bar">
        <Tabs label="Movers" tabs={KINDS} chosen={kind} onChoose={(id) => setParams({ ...params, kind: id })} />
        <span class="spring" />
        <Select label="Of" hideLabel value={types} options={TYPES} onValue={(id) => setParams({ ...params, types: id })} />
      </div>
      {!movers && (error ? <ErrorNote error={error} onRetry={retry} /> : <Loading what="Loading movers" />)}
      {movers?.results.length === 0 && <Empty title="Nothing here has moved yet." />}
      {movers && movers.results.length > 0 && <MoversTable movers={movers} ofInterest={kind.startsWith('OI_')} />}
    </section>
  )
}

function MoversTable({ movers, ofInterest }: { movers: Movers; ofInterest: boolean }) {
  return (
    <div class="panel-scroll">
      <table class="plain-table">
        <thead>
          <tr>
            <th>Instrument</th>
            <th class="number">Last</th>
            <th class="number">%</th>
            <th class="number">{ofInterest ? 'OI' : 'Traded'}</th>
            {ofInterest && <th class="number">OI %</th>}
          </tr>
        </thead>
        <tbody>
          {movers.results.map((each) => (
            <MoverRow key={each.instrument} mover={each} ofInterest={ofInterest} />
          ))}
        </tbody>
      </table>
      <p class="search-note">Over the {movers.subscribed.toLocaleString('en-IN')} instruments that the server follows.</p>
    </div>
  )
}

function MoverRow({ mover, ofInterest }: { mover: Mover; ofInterest: boolean }) {
  const chosen = selectedInstrument.value === mover.instrument
  return (
    <tr aria-current={chosen}>
      <td>
        <button type="button" class="link-button" title={mover.name} onClick={() => select(mover.instrument)}>
          {labelOf(mover)}
        </button>
      </td>
      <td class={mover.stale ? 'number stale' : 'number'} title={mover.stale ? 'This price is old' : undefined}>
        {mover.last_price === null ? UNKNOWN : Number(mover.last_price).toLocaleString('en-IN', { minimumFractionDigits: 2 })}
      </td>
      <td class={`number ${tone(mover.change_percent)}`}>{percent(mover.change_percent)}</td>
      <td class="number">{short(ofInterest ? mover.open_interest : Math.round(Number(mover.value)))}</td>
      {ofInterest && <td class={`number ${tone(mover.open_interest_percent)}`}>{percent(mover.open_interest_percent)}</td>}
    </tr>
  )
}

/** A failed question leaves what was there; the next one comes by itself. */
function useMovers(kind: string, types: string): { movers: Movers | undefined; error: unknown; retry: () => void } {
  const [movers, setMovers] = useState<Movers>()
  const [error, setError] = useState<unknown>()
  const [turn, setTurn] = useState(0)
  useEffect(() => {
    let shown = true
    setMovers(undefined)
    setError(undefined)
    const load = () =>
      api.get<Movers>(withQuery('movers', { kind, types, limit: SHOWN })).then(
        (told) => shown && setMovers(told),
        (reason: unknown) => shown && setError(reason),
      )
    void load()
    const timer = setInterval(load, EVERY_MILLISECONDS)
    return () => {
      shown = false
      clearInterval(timer)
    }
  }, [kind, types, turn])
  return { movers, error, retry: () => setTurn(turn + 1) }
}
