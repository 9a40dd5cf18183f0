/** What all legs together would hold, and what being together saves. */

import { sentence } from '../../api/rest'
import { money } from '../../format/price'
import type { MarginState } from './asking'

export function Margin({ state: { margin, error, old } }: { state: MarginState }) {
  const short = margin !== null && margin.total > margin.available ? margin.total - margin.available : null
  return (
    <div class={old ? 'estimate estimate-old' : 'estimate'} aria-live="polite" aria-busy={old}>
      <dl>
        <Figure name={margin?.isEstimate ? 'Margin, about' : 'Margin'} paise={margin?.total} />
        <Figure name="Each alone" paise={margin?.alone} />
        <Figure name="Benefit" paise={margin?.benefit} tone="up" />
        <Figure name="Available" paise={margin?.available} tone={short === null ? undefined : 'down'} />
      </dl>
      {short !== null && <p class="field-error">{money(short)} more are needed.</p>}
      {error !== undefined && <p class="book-dim">Not known now: {sentence(error)}</p>}
    </div>
  )
}

function Figure({ name, paise, tone }: { name: string; paise: number | undefined; tone?: string | undefined }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd class={tone}>{money(paise)}</dd>
    </div>
  )
}
