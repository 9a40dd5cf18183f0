/** Small pieces that the books share. */

import type { ComponentChildren } from 'preact'

import type { Side } from '../api/types'
import { signed, tone } from '../format/price'
import { SIDE_WORDS } from './words'

export function SideChip({ side }: { side: Side }) {
  return <span class={side === 'BUY' ? 'mark mark-buy' : 'mark mark-sell'}>{SIDE_WORDS[side]}</span>
}

export function Chip({
  tone: how,
  children,
}: {
  tone: 'good' | 'bad' | 'wait' | 'plain'
  children: ComponentChildren
}) {
  return <span class={`mark mark-${how}`}>{children}</span>
}

/** A symbol that selects its instrument everywhere. */
export function InstrumentName({ name, onChoose }: { name: string; onChoose: () => void }) {
  return (
    <button type="button" class="book-name" onClick={onChoose}>
      {name}
    </button>
  )
}

/** Money with its sign and colour; the sign says it too, for who does not see colours. */
export function Gain({ paise }: { paise: number | null }) {
  return <span class={tone(paise)}>{signed(paise)}</span>
}
