/** Builds a strategy on the chains of one underlying. */

import { useState } from 'preact/hooks'

import { currentAccount } from '../../state/accounts'
import { building, MOST_LEGS } from '../../trading/building'
import { NoAccount } from '../../trading/Books'
import { drawingOf, type Underlying } from '../../trading/strategy'
import { Empty, ErrorNote, Loading } from '../../ui/Notes'
import { useLoaded } from '../../ui/useLoaded'
import { expiriesOf, underlyings } from './asking'
import { Baskets } from './Baskets'
import { useChains } from './chains'
import { Chooser } from './Chooser'
import { Figures } from './Figures'
import { Legs } from './Legs'
import { Payoff } from './Payoff'
import './strategy.css'

export function StrategyPanel() {
  const known = useLoaded(underlyings, [])
  return (
    <section class="book" data-panel="strategy">
      {known.error !== undefined && <ErrorNote error={known.error} onRetry={known.reload} />}
      {known.value === undefined && known.loading && <Loading what="Reading what has options" />}
      {known.value && <Builder all={known.value} />}
    </section>
  )
}

function Builder({ all }: { all: readonly Underlying[] }) {
  const { legs, underlying: chosen } = building.value
  const underlying = chosen ?? all.find((each) => each.underlying === 'NIFTY') ?? all[0] ?? null
  const expiries = useLoaded(underlying && (() => expiriesOf(underlying)), [
    underlying?.segment,
    underlying?.underlying,
  ])
  const [expiry, setExpiry] = useState<string | null>(null)
  const there = expiries.value ?? []
  const shown = expiry !== null && there.includes(expiry) ? expiry : (there[0] ?? null)
  const later = there[there.indexOf(shown ?? '') + 1]
  const wanted = [shown, later, ...legs.map((leg) => leg.expiry)].filter((each) => each !== null && each !== undefined)
  const { views, gap } = useChains(underlying, wanted)
  if (underlying === null) return <Empty title="No options are listed" />
  if (expiries.error !== undefined) return <ErrorNote error={expiries.error} onRetry={expiries.reload} />
  const drawing = drawingOf(legs, views, underlying)
  return (
    <>
      <Chooser
        all={all}
        underlying={underlying}
        expiries={there}
        expiry={shown}
        later={later}
        views={views}
        onExpiry={setExpiry}
      />
      {gap && (
        <p class="book-missed" role="status">
          Something was missed: the chain is being read again.
        </p>
      )}
      <div class="strategy">
        <div class="strategy-legs">
          <Legs legs={legs} expiries={there} views={views} underlying={underlying} />
          {legs.length >= MOST_LEGS && <p class="book-note book-dim">A basket has {MOST_LEGS} legs at most.</p>}
          {currentAccount.value === null ? (
            <NoAccount />
          ) : (
            <Baskets
              key={currentAccount.value.id}
              views={views}
              underlying={underlying}
              account={currentAccount.value}
            />
          )}
        </div>
        <div class="strategy-result">
          {drawing ? (
            <>
              <Figures drawing={drawing} />
              <Payoff drawing={drawing} />
            </>
          ) : (
            <Nothing hasLegs={legs.length > 0} />
          )}
        </div>
      </div>
    </>
  )
}

function Nothing({ hasLegs }: { hasLegs: boolean }) {
  if (hasLegs) return <Empty title="A leg has no price yet">Give it a price, or wait for one.</Empty>
  return <Empty title="No legs yet">Choose a ready-made strategy above, or add a leg.</Empty>
}
