/** What is wrong with what is shown, said as long as it is so: no connection, missed messages, a feed that is silent. */

import { useEffect, useState } from 'preact/hooks'

import { age, time } from '../format/time'
import { exchangeOffset, onExchangeClock } from '../state/marketStatus'
import { connection, connectionSince, feeds, gaps, hurry, serverNow } from '../state/store'
import { Button } from '../ui/Button'

const SETTLE_MILLISECONDS = 1_500
/** A reconnection that is quicker is not worth a word. */
const TICK_MILLISECONDS = 1_000

export function Banners() {
  return (
    <div role="status" aria-live="polite">
      {connection.value === 'LIVE' ? <GapBanner /> : <AwayBanner />}
      <FeedBanners />
    </div>
  )
}

function AwayBanner() {
  const now = useTick()
  const gone = now - connectionSince.value
  if (gone < SETTLE_MILLISECONDS) return null
  return (
    <div class="banner banner-bad" data-banner="connection">
      <strong>Not connected</strong>
      <span>Prices and orders shown are from {time(connectionSince.value + exchangeOffset.value)}. Trying again by itself.</span>
      <span class="spring" />
      <Button small onClick={hurry}>
        Try now
      </Button>
    </div>
  )
}

function GapBanner() {
  const missing = gaps.value.length
  if (!missing) return null
  return (
    <div class="banner" data-banner="gap">
      <strong>Something was missed</strong>
      <span>
        Loading {missing === 1 ? 'one list' : `${missing} lists`} anew; until then {missing === 1 ? 'it' : 'they'} may be
        behind.
      </span>
    </div>
  )
}

function FeedBanners() {
  useTick()
  const bad = feeds.value.filter((feed) => feed.state !== 'LIVE')
  return (
    <>
      {bad.map((feed) => (
        <div key={feed.feed} class={feed.state === 'DOWN' ? 'banner banner-bad' : 'banner'} data-banner="feed">
          <strong>{feed.state === 'DOWN' ? 'The market feed is down' : 'The market feed is silent'}</strong>
          <span>Its prices are old: since {time(onExchangeClock(feed.since))} ({age(serverNow() - feed.since)} ago).</span>
        </div>
      ))}
    </>
  )
}

/** This machine's clock, drawn once a second. */
export function useTick(): number {
  const [now, setNow] = useState(Date.now())
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), TICK_MILLISECONDS)
    return () => clearInterval(timer)
  }, [])
  return now
}
