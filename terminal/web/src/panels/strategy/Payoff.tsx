/** The payoff: at expiry as an area, today (or some days on) as a line, read off under the pointer. */

import { useEffect, useMemo, useRef, useState } from 'preact/hooks'

import { price, short, signed } from '../../format/price'
import { breakevens, curve, firstExpiry, profitAt, type Point } from '../../trading/payoff'
import { placeOf, roomAround, shownPrices, ticks, valueAt, type Scale } from '../../trading/scale'
import type { Drawing } from '../../trading/strategy'

const STEPS = 160
const PAISE = 100
const DAYS = 365
const MARGIN = { left: 58, right: 14, top: 12, bottom: 24 }
const PIXELS_A_TICK = { x: 100, y: 46 }
const LEAST_PIXELS = 120

interface Size {
  width: number
  height: number
}

interface Picture {
  x: Scale
  y: Scale
  atExpiry: Point[]
  before: Point[]
  turns: number[]
}

export function Payoff({ drawing }: { drawing: Drawing }) {
  const [days, setDays] = useState(0)
  const [pointed, setPointed] = useState<number | null>(null)
  const [host, size] = useSize()
  const most = Math.floor(firstExpiry(drawing.legs) * DAYS)
  const elapsed = Math.min(days, most) / DAYS
  const picture = useMemo(() => pictureOf(drawing, elapsed, size), [drawing, elapsed, size])
  const at = pointed ?? drawing.forward
  return (
    <div class="payoff">
      <div class="payoff-bar">
        <Reading drawing={drawing} at={at} elapsed={elapsed} days={days} pointed={pointed !== null} />
        {most > 0 && (
          <label class="payoff-days">
            Days on
            <input
              type="range"
              min={0}
              max={most}
              value={Math.min(days, most)}
              onInput={(event) => setDays(Number(event.currentTarget.value))}
            />
            <output>{Math.min(days, most)}</output>
          </label>
        )}
      </div>
      <div
        ref={host}
        class="payoff-host"
        onPointerMove={(event) => setPointed(priceUnder(event, picture))}
        onPointerLeave={() => setPointed(null)}
      >
        {picture && <Drawn picture={picture} size={size} forward={drawing.forward} pointed={pointed} />}
      </div>
    </div>
  )
}

interface ReadingProps {
  drawing: Drawing
  at: number
  elapsed: number
  days: number
  pointed: boolean
}

function Reading({ drawing: { legs, rate }, at, elapsed, days, pointed }: ReadingProps) {
  const atExpiry = profitAt(legs, at, firstExpiry(legs), rate)
  const before = profitAt(legs, at, elapsed, rate)
  return (
    <p>
      {pointed ? 'At' : 'At the forward'} <b>{price(at * PAISE)}</b>: expiry{' '}
      <b class={atExpiry >= 0 ? 'up' : 'down'}>{signed(Math.round(atExpiry * PAISE))}</b>,{' '}
      {days ? `in ${days} days` : 'today'}{' '}
      <b class={before >= 0 ? 'up' : 'down'}>
        {Number.isNaN(before) ? 'not known' : signed(Math.round(before * PAISE))}
      </b>
    </p>
  )
}

interface DrawnProps {
  picture: Picture
  size: Size
  forward: number
  pointed: number | null
}

function Drawn({ picture, size, forward, pointed }: DrawnProps) {
  const { x, y, atExpiry, before, turns } = picture
  const zero = placeOf(y, 0)
  const area = `${lineOf(atExpiry, x, y)}L${x.end},${zero}L${x.start},${zero}Z`
  return (
    <svg width={size.width} height={size.height} role="img" aria-label={wordsOf(turns)}>
      <clipPath id="payoff-gain">
        <rect x={x.start} y={y.end} width={x.end - x.start} height={Math.max(zero - y.end, 0)} />
      </clipPath>
      <clipPath id="payoff-pain">
        <rect x={x.start} y={zero} width={x.end - x.start} height={Math.max(y.start - zero, 0)} />
      </clipPath>
      <Axes picture={picture} />
      <path class="payoff-gain" d={area} clip-path="url(#payoff-gain)" />
      <path class="payoff-pain" d={area} clip-path="url(#payoff-pain)" />
      <path class="payoff-expiry" d={lineOf(atExpiry, x, y)} />
      {before.every(({ profit }) => !Number.isNaN(profit)) && <path class="payoff-today" d={lineOf(before, x, y)} />}
      <Upright x={placeOf(x, forward)} y={y} name="payoff-forward" />
      {turns
        .filter((turn) => turn > x.from && turn < x.to)
        .map((turn) => (
          <circle key={turn} class="payoff-turn" cx={placeOf(x, turn)} cy={zero} r={4} />
        ))}
      {pointed !== null && <Upright x={placeOf(x, pointed)} y={y} name="payoff-pointed" />}
    </svg>
  )
}

function Axes({ picture: { x, y } }: { picture: Picture }) {
  const across = ticks(x.from, x.to, (x.end - x.start) / PIXELS_A_TICK.x)
  const upward = ticks(y.from, y.to, (y.start - y.end) / PIXELS_A_TICK.y)
  return (
    <g class="payoff-axes">
      {upward.map((value) => (
        <g key={value}>
          <line
            x1={x.start}
            x2={x.end}
            y1={placeOf(y, value)}
            y2={placeOf(y, value)}
            class={value === 0 ? 'payoff-zero' : undefined}
          />
          <text x={x.start - 6} y={placeOf(y, value)} text-anchor="end" dominant-baseline="middle">
            {short(value)}
          </text>
        </g>
      ))}
      {across.map((value) => (
        <text key={value} x={placeOf(x, value)} y={y.start + 16} text-anchor="middle">
          {value.toLocaleString('en-IN')}
        </text>
      ))}
    </g>
  )
}

function Upright({ x, y, name }: { x: number; y: Scale; name: string }) {
  return <line class={name} x1={x} x2={x} y1={y.end} y2={y.start} />
}

/** Null while there is no room to draw. */
function pictureOf({ legs, forward, rate }: Drawing, elapsed: number, { width, height }: Size): Picture | null {
  if (width < LEAST_PIXELS || height < LEAST_PIXELS) return null
  const [from, to] = shownPrices(
    legs.map((leg) => leg.strike),
    forward,
  )
  const atExpiry = curve(legs, from, to, STEPS, firstExpiry(legs), rate)
  const before = curve(legs, from, to, STEPS, elapsed, rate)
  const profits = [...atExpiry, ...before].map(({ profit }) => profit).filter((profit) => !Number.isNaN(profit))
  const [low, high] = roomAround(profits)
  return {
    x: { from, to, start: MARGIN.left, end: width - MARGIN.right },
    y: { from: low, to: high, start: height - MARGIN.bottom, end: MARGIN.top },
    atExpiry,
    before,
    turns: breakevens(legs, forward, rate),
  }
}

function lineOf(points: readonly Point[], x: Scale, y: Scale): string {
  const places = points.map(({ price: at, profit }) => `${placeOf(x, at).toFixed(1)},${placeOf(y, profit).toFixed(1)}`)
  return `M${places.join('L')}`
}

function wordsOf(turns: readonly number[]): string {
  const where = turns.length
    ? `breaks even at ${turns.map((turn) => Math.round(turn)).join(' and ')}`
    : 'does not break even'
  return `Payoff at expiry: it ${where}`
}

function priceUnder(event: PointerEvent, picture: Picture | null): number | null {
  if (picture === null) return null
  const place = event.clientX - (event.currentTarget as HTMLElement).getBoundingClientRect().left
  return place < picture.x.start || place > picture.x.end ? null : valueAt(picture.x, place)
}

/** An element and its size as it changes. */
function useSize() {
  const host = useRef<HTMLDivElement>(null)
  const [size, setSize] = useState<Size>({ width: 0, height: 0 })
  useEffect(() => {
    const element = host.current
    if (!element) return undefined
    const watch = new ResizeObserver(() => setSize({ width: element.clientWidth, height: element.clientHeight }))
    watch.observe(element)
    return () => watch.disconnect()
  }, [])
  return [host, size] as const
}
