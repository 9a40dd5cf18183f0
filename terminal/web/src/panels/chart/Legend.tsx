/** The figures of the bar under the crosshair, or of the newest. */

import type { Signal } from '@preact/signals'

import type { Interval } from '../../analytics/bars'
import { percent, price, short, signed, tone } from '../../format/price'
import { day, minute } from '../../format/time'
import type { Reading } from './desk'

export function Legend({ reading, interval }: { reading: Signal<Reading | null>; interval: Interval }) {
  const shown = reading.value
  if (!shown) return null
  const { bar, before, studies } = shown
  const points = before ? bar.close - before.close : null
  return (
    <div class="chart-legend" aria-live="off">
      <span>{interval === 'D' ? day(bar.time) : `${day(bar.time)} ${minute(bar.time)}`}</span>
      <Pair name="O" text={price(bar.open)} />
      <Pair name="H" text={price(bar.high)} />
      <Pair name="L" text={price(bar.low)} />
      <Pair name="C" text={price(bar.close)} />
      <span class={tone(points)}>
        {signed(points)} {before && points !== null ? `(${percent((points / before.close) * 100)})` : ''}
      </span>
      {bar.volume > 0 && <Pair name="Vol" text={short(bar.volume)} />}
      {bar.openInterest > 0 && <Pair name="OI" text={short(bar.openInterest)} />}
      {studies.map(({ title, value, pane }) => (
        <Pair key={title} name={title} text={pane === 0 ? price(Math.round(value)) : value.toFixed(1)} />
      ))}
    </div>
  )
}

function Pair({ name, text }: { name: string; text: string }) {
  return (
    <span>
      <i>{name}</i> {text}
    </span>
  )
}
