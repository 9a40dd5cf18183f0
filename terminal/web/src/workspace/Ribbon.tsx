/** The indices that every desk watches; pressing one selects it. */

import { percent, price, tone } from '../format/price'
import { select } from '../state/selection'
import { changePercent, isStale } from '../state/quote'
import { useQuote } from '../state/store'

const INDICES = [
  ['IDX_I.13', 'NIFTY'],
  ['IDX_I.25', 'BANKNIFTY'],
  ['IDX_I.51', 'SENSEX'],
] as const

export function Ribbon() {
  return (
    <div class="ribbon" role="group" aria-label="Indices">
      {INDICES.map(([instrument, name]) => (
        <Index key={instrument} instrument={instrument} name={name} />
      ))}
    </div>
  )
}

function Index({ instrument, name }: { instrument: string; name: string }) {
  const quote = useQuote(instrument)
  const moved = quote ? changePercent(quote) : null
  return (
    <button type="button" class="ribbon-item" onClick={() => select(instrument)}>
      <span class="dim">{name}</span>
      <span class={quote && isStale(quote) ? 'stale' : ''}>{price(quote?.last_price)}</span>
      <span class={tone(moved)}>{percent(moved)}</span>
    </button>
  )
}
