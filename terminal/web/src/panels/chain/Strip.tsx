/** What is known of an expiry as a whole: forward, ratios, volatility, and the model they come from. */

import { useComputed } from '@preact/signals'
import type { ComponentChildren } from 'preact'

import { layoutOf, smileOf, timeToExpiry, type ChainAnalytics, type ChainDetails } from '../../analytics/chain'
import type { Row } from '../../api/types'
import { percent, price, signed, tone } from '../../format/price'
import { date, time } from '../../format/time'
import { change, changePercent, isStale, quoteOf } from '../../state/quote'
import { topicSignal } from '../../state/store'
import type { TopicState } from '../../state/topics'
import { Smile } from './Smile'

const RANK_REASONS: Readonly<Record<string, string>> = {
  NO_HISTORY: 'Less than a year of daily volatilities is kept yet',
}
const MODELS: Readonly<Record<string, string>> = { BLACK_76: 'Black-76' }

export function Strip({ topic }: { topic: string }) {
  const analytics = useComputed(() => topicSignal(topic).value?.values['ANALYTICS'] as ChainAnalytics | undefined).value
  const gap = useComputed(() => topicSignal(topic).value?.gap ?? false).value
  return (
    <>
      {gap && <p class="gap-note">Updates were missed; waiting for a fresh picture.</p>}
      <div class="chain-strip">
        <dl>
          <Reference topic={topic} />
          {analytics ? <Figures analytics={analytics} /> : <Figure name="Analytics">not told yet</Figure>}
        </dl>
        {analytics && <SmileOf topic={topic} analytics={analytics} />}
      </div>
    </>
  )
}

/** The underlying's own price; drawn again only when it is another. */
function Reference({ topic }: { topic: string }) {
  const row = useComputed(() => referenceRow(topicSignal(topic).value)).value
  const state = topicSignal(topic).peek()
  const key = (state?.details as ChainDetails | undefined)?.reference
  const quote = key && row ? quoteOf(state, key) : undefined
  if (!quote) return <Figure name="Underlying">–</Figure>
  const points = change(quote)
  return (
    <Figure name={key?.startsWith('IDX') ? 'Spot' : 'Underlying'} stale={isStale(quote)}>
      {price(quote.last_price)}{' '}
      <small class={tone(points)}>
        {signed(points)} ({percent(changePercent(quote))})
      </small>
    </Figure>
  )
}

function referenceRow(state: TopicState | undefined): Row | undefined {
  const key = (state?.details as ChainDetails | undefined)?.reference
  return state && key ? state.rows[state.instruments.indexOf(key)] : undefined
}

function Figures({ analytics }: { analytics: ChainAnalytics }) {
  const isFuture = analytics.forward_source === 'FUTURE'
  const rank = analytics.iv_rank === null ? '–' : analytics.iv_rank.toFixed(0)
  const model = `${MODELS[analytics.model] ?? analytics.model}, ${analytics.rate} %`
  return (
    <>
      {isFuture && <Figure name="Future">{price(analytics.forward)}</Figure>}
      <Figure name="Synthetic">{price(analytics.synthetic_future)}</Figure>
      <Figure name="ATM IV">{ofPercent(analytics.atm_iv)}</Figure>
      <Figure name="Straddle">{price(analytics.straddle)}</Figure>
      <Figure name="PCR (OI)">{ratio(analytics.pcr_oi)}</Figure>
      <Figure name="PCR (volume)">{ratio(analytics.pcr_volume)}</Figure>
      <Figure name="Max pain">{price(analytics.max_pain)}</Figure>
      <Figure name="IV rank" title={RANK_REASONS[analytics.iv_rank_reason ?? ''] ?? ''}>
        {rank}
      </Figure>
      <Figure name="Expires in">{analytics.years === null ? '–' : timeToExpiry(analytics.years)}</Figure>
      <Figure name="Model" title={`Rate of ${date(analytics.rate_date)}, computed at ${time(analytics.at)}`}>
        {model}
      </Figure>
    </>
  )
}

interface FigureProps {
  name: string
  title?: string
  stale?: boolean
  children: ComponentChildren
}

function Figure({ name, title, stale, children }: FigureProps) {
  return (
    <div title={title || undefined} class={stale ? 'stale' : undefined}>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  )
}

function SmileOf({ topic, analytics }: { topic: string; analytics: ChainAnalytics }) {
  const state = topicSignal(topic).peek()
  if (!state) return null
  const layout = layoutOf(state.instruments, state.details as unknown as ChainDetails)
  return <Smile points={smileOf(layout, analytics)} atm={analytics.atm_strike} />
}

function ratio(value: number | null): string {
  return value === null ? '–' : value.toFixed(2)
}

function ofPercent(value: number | null): string {
  return value === null ? '–' : `${value.toFixed(2)}%`
}
