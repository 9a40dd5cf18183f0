/** Margin, charges and funds of a ticket, before it is placed. */

import type { ComponentChildren } from 'preact'

import { sentence } from '../../api/rest'
import { money } from '../../format/price'
import type { Estimate } from './estimate'

interface EstimateNoteProps {
  estimate: Estimate
  /** Paise; null: no price is known. */
  value: number | null
  available: number | undefined
  bindsMargin: boolean
}

export function EstimateNote({ estimate, value, available, bindsMargin }: EstimateNoteProps) {
  const { margin, charges, error, old } = estimate
  const funds = available ?? margin?.available
  const short = margin !== null && funds !== undefined && margin.total > funds ? margin.total - funds : null
  return (
    <div class={old ? 'estimate estimate-old' : 'estimate'} aria-live="polite" aria-busy={old}>
      <dl>
        <Figure name="Value">{money(value)}</Figure>
        <Figure name={margin?.is_estimate ? 'Margin, about' : 'Margin'}>
          {bindsMargin ? money(margin?.total) : 'none: exits'}
        </Figure>
        <Figure name="Charges">{money(charges?.total)}</Figure>
        <Figure name="Available">
          <span class={short === null ? undefined : 'down'}>{money(funds)}</span>
        </Figure>
      </dl>
      {short !== null && <p class="field-error">{money(short)} more are needed.</p>}
      {error !== undefined && <p class="book-dim">Not known now: {sentence(error)}</p>}
      {charges !== null && charges.lines.length > 0 && <Lines lines={charges.lines} />}
    </div>
  )
}

function Figure({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  )
}

function Lines({ lines }: { lines: readonly (readonly [string, number])[] }) {
  return (
    <details>
      <summary>Charges by line</summary>
      <dl class="estimate-lines">
        {lines.map(([line, amount]) => (
          <Figure key={line} name={line.replaceAll('_', ' ').toLowerCase()}>
            {money(amount)}
          </Figure>
        ))}
      </dl>
    </details>
  )
}
