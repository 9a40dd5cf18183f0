/** One word on the connection and the feeds, and the figures behind it. */

import { age, time } from '../format/time'
import { exchangeOffset } from '../state/marketStatus'
import { connection, connectionSince, feeds, gaps, serverNow } from '../state/store'
import { Popover } from '../ui/Popover'
import { useTick } from './Banners'

type Health = readonly [dot: 'good' | 'warn' | 'bad', word: string]

const CONNECTION: Record<string, Health> = {
  CONNECTING: ['warn', 'Connecting'],
  WAITING: ['bad', 'Offline'],
  ENDED: ['bad', 'Offline'],
  SIGNED_OUT: ['bad', 'Signed out'],
}
const FEED_WORDS: Record<string, string> = { LIVE: 'live', STALE: 'silent', DOWN: 'down' }

export function ConnectionHealth() {
  const [dot, word] = health()
  const face = (
    <>
      <span class={`dot dot-${dot}`} aria-hidden="true" />
      <span>{word}</span>
    </>
  )
  return (
    <Popover label="Connection" button={face}>
      {() => <Figures />}
    </Popover>
  )
}

/** The worst of the connection and the feeds. */
function health(): Health {
  const own = CONNECTION[connection.value]
  if (own) return own
  if (feeds.value.some((feed) => feed.state === 'DOWN')) return ['bad', 'Feed down']
  if (feeds.value.some((feed) => feed.state === 'STALE')) return ['warn', 'Feed silent']
  return gaps.value.length ? ['warn', 'Catching up'] : ['good', 'Live']
}

function Figures() {
  const now = useTick()
  return (
    <>
      <h3>Connection</h3>
      <p>
        {connection.value === 'LIVE' ? 'Connected' : 'Not connected'} since {time(connectionSince.value + exchangeOffset.value)} (
        {age(now - connectionSince.value)})
      </p>
      {feeds.value.map((feed) => (
        <p key={feed.feed}>
          Market feed {feed.feed}: {FEED_WORDS[feed.state] ?? feed.state}
          {feed.state !== 'LIVE' && ` for ${age(serverNow() - feed.since)}`}
        </p>
      ))}
      {gaps.value.length > 0 && <p>Being loaded anew: {gaps.value.join(', ')}</p>}
    </>
  )
}
