/** The exchange's time, and what each market does now. */

import { day, minute, time } from '../format/time'
import { exchangeNow, headlines, marketStatus, phaseWord, segmentWord } from '../state/marketStatus'
import { Popover } from '../ui/Popover'
import { useTick } from './Banners'

export function ExchangeClock() {
  const status = marketStatus.value
  if (!status) return null
  return (
    <Popover label="Market status" button={<ClockFace />}>
      {() => (
        <>
          <h3>{day(exchangeNow())} · Indian Standard Time</h3>
          <div class="facts">
            {status.segments.map((each) => (
              <>
                <span>{segmentWord(each.segment)}</span>
                <PhaseWord phase={each.phase} />
                <span class="dim">{each.open && each.close ? `${minute(each.open)} – ${minute(each.close)}` : each.holiday}</span>
              </>
            ))}
          </div>
          {status.master_date && <p class="dim">Instruments as listed on {status.master_date}.</p>}
        </>
      )}
    </Popover>
  )
}

function ClockFace() {
  useTick()
  const status = marketStatus.value
  return (
    <>
      <span class="clock">{time(exchangeNow())}</span>
      {status &&
        headlines(status).map(([name, segment]) => (
          <span key={name} class="wide-only">
            {name} <PhaseWord phase={segment.phase} />
          </span>
        ))}
    </>
  )
}

function PhaseWord({ phase }: { phase: string }) {
  const tone = phase === 'CONTINUOUS' ? 'up' : phase === 'CLOSED' ? 'dim' : ''
  return <span class={tone}>{phaseWord(phase)}</span>
}
