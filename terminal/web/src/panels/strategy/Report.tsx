/** What became of a basket, leg by leg. */

import { quantity } from '../../format/quantity'
import { useInstruments } from '../../trading/instruments'
import { Chip } from '../../trading/pieces'
import { nameOf } from '../../trading/names'
import type { LegReport } from './asking'

export function Report({ text, legs }: { text: string; legs: readonly LegReport[] }) {
  const listings = useInstruments(legs.map((leg) => leg.instrument))
  return (
    <div class="report" role="status">
      <p>{text}</p>
      <ol>
        {legs.map((leg, place) => (
          <li key={place}>
            <Chip tone={leg.code ? 'bad' : 'good'}>{leg.code || 'taken'}</Chip> {leg.side} {quantity(leg.quantity)}{' '}
            {nameOf(listings.get(leg.instrument), leg.instrument)}
            {leg.message && <span class="book-dim"> {leg.message}</span>}
          </li>
        ))}
      </ol>
    </div>
  )
}
