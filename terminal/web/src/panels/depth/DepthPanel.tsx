/** The depth of one instrument: five levels of the feed, or twenty where they are fed, with what the day was like. */

import {
  imbalance,
  ladderOfFive,
  ladderOfValue,
  quantityOf,
  spreadOf,
  type DepthValue,
  type Ladder as Levels,
} from '../../analytics/ladder'
import type { Instrument, InstrumentKey } from '../../api/types'
import { percent, price, short, signed, tone } from '../../format/price'
import { quantity } from '../../format/quantity'
import { age, time } from '../../format/time'
import { change, changePercent, depthOf, isStale, quoteAt, value, type Quote } from '../../state/quote'
import { refusalSignal, serverNow, useTopic } from '../../state/store'
import type { TopicState } from '../../state/topics'
import { Empty, ErrorNote, Loading } from '../../ui/Notes'
import { nameOf } from '../../trading/names'
import { followedInstrument, PinButton, useListing } from '../../workspace/following'
import { openTicket, type PanelProps } from '../../workspace/panels'
import { Ladder } from './Ladder'

const FIVE = 5
const TWENTY = 20
const INDICES = 'IDX_I'

export function DepthPanel(props: PanelProps) {
  const key = followedInstrument(props.params)
  return (
    <section class="panel depth" data-panel="depth" aria-label="Market depth">
      {key ? <Depth key={key} instrument={key} {...props} /> : <Empty title="Select an instrument to see its depth." />}
    </section>
  )
}

function Depth({ instrument, params, setParams }: PanelProps & { instrument: InstrumentKey }) {
  const twenty = params['levels'] === TWENTY
  const topic = useTopic(`instrument.${instrument}`)
  const deep = useTopic(twenty ? `depth.${instrument}` : null)
  const listing = useListing(instrument)
  const refusal = refusalSignal(`instrument.${instrument}`).value
  if (refusal) return <Empty title="This instrument is not listed today." />
  if (listing instanceof Error) return <ErrorNote error={listing} />
  const quote = topic && quoteAt(topic, 0)
  if (!topic || !quote || !listing) return <Loading what="Waiting for the first price" />
  const told = deep?.values['DEPTH'] as DepthValue | undefined
  const hasDepth = listing.segment !== INDICES
  const ladder = told ? ladderOfValue(told) : ladderOfFive(depthOf(topic))
  return (
    <>
      <header class="panel-bar">
        <Headline listing={listing} quote={quote} />
        {hasDepth && <LevelsChoice twenty={twenty} onChoose={(levels) => setParams({ ...params, levels })} />}
        <PinButton params={params} setParams={setParams} shown={instrument} />
      </header>
      {topic.gap && <p class="gap-note">Updates were missed; waiting for a fresh picture.</p>}
      {hasDepth && twenty && ladder.source === 'FIVE' && (
        <p class="depth-note">Twenty levels are not fed now; these are five.</p>
      )}
      {!hasDepth && <p class="depth-note">An index is not traded itself: it has no depth.</p>}
      <div
        class={isStale(quote) ? 'depth-body stale' : 'depth-body'}
        role="region"
        aria-label="Depth and day"
        tabIndex={0}
      >
        {hasDepth && (
          <>
            <Ladder
              ladder={ladder}
              levels={ladder.source === 'TWENTY' ? TWENTY : FIVE}
              onPrice={(side, at) => openTicket({ instrument, side, price: at, order_type: 'LIMIT' })}
            />
            <Totals topic={topic} ladder={ladder} />
          </>
        )}
        <DayFigures topic={topic} quote={quote} listing={listing} />
      </div>
    </>
  )
}

function Headline({ listing, quote }: { listing: Instrument; quote: Quote }) {
  const points = change(quote)
  const stale = isStale(quote)
  return (
    <div class="depth-headline">
      <h2>{nameOf(listing, listing.instrument)}</h2>
      <strong
        class={`${tone(points)} ${stale ? 'stale' : ''}`}
        title={stale ? `Stale: heard ${age(serverNow() - quote.received_at)} ago` : undefined}
      >
        {price(quote.last_price)}
      </strong>
      <span class={tone(points)}>
        {signed(points)} ({percent(changePercent(quote))})
      </span>
    </div>
  )
}

function LevelsChoice({ twenty, onChoose }: { twenty: boolean; onChoose: (levels: number) => void }) {
  return (
    <div class="segments" role="group" aria-label="Levels">
      {[FIVE, TWENTY].map((levels) => (
        <button
          key={levels}
          type="button"
          aria-pressed={twenty === (levels === TWENTY)}
          onClick={() => onChoose(levels)}
        >
          {levels}
        </button>
      ))}
    </div>
  )
}

function Totals({ topic, ladder }: { topic: TopicState; ladder: Levels }) {
  const row = topic.rows[0] ?? []
  const all = { buy: value(topic, row, 'total_buy_quantity'), sell: value(topic, row, 'total_sell_quantity') }
  const shown = { buy: quantityOf(ladder.bids), sell: quantityOf(ladder.asks) }
  const { buy, sell } = all.buy + all.sell > 0 ? all : shown
  const pressure = imbalance(buy, sell)
  const share = pressure === null ? 0.5 : (pressure + 1) / 2
  return (
    <div class="depth-totals">
      <div class="depth-figures">
        <span class="up">{quantity(buy)}</span>
        <span title="Buyers less sellers, of all quantity on order">
          {pressure === null ? 'no orders' : `imbalance ${percent(pressure * 100, 0)}`}
        </span>
        <span class="down">{quantity(sell)}</span>
      </div>
      <div class="depth-pressure" aria-hidden="true" style={{ backgroundSize: `${Math.round(share * 100)}% 100%` }} />
      <div class="depth-figures dim">
        <span>Total buy</span>
        <span>Spread {price(spreadOf(ladder))}</span>
        <span>Total sell</span>
      </div>
    </div>
  )
}

function DayFigures({ topic, quote, listing }: { topic: TopicState; quote: Quote; listing: Instrument }) {
  const row = topic.rows[0] ?? []
  const figures: [string, string][] = [
    ['Open', price(quote.day_open)],
    ['Previous close', price(quote.previous_close)],
    ['High', price(quote.day_high)],
    ['Low', price(quote.day_low)],
    ['Average', price(quote.average_price)],
    ['Volume', short(quote.volume)],
    ['Last quantity', quantity(value(topic, row, 'last_quantity'))],
    ['Last trade', time(quote.last_traded_at)],
    ['Open interest', quote.open_interest ? short(quote.open_interest) : '–'],
    ['Lot', quantity(listing.lot_size)],
    ['Lower limit', listing.lower_limit ?? '–'],
    ['Upper limit', listing.upper_limit ?? '–'],
  ]
  return (
    <dl class="depth-day">
      {figures.map(([name, text]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{text}</dd>
        </div>
      ))}
    </dl>
  )
}
