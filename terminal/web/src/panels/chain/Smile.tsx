/** The volatility smile: implied volatility by strike, small enough to stand beside the figures. */

import type { SmilePoint } from '../../analytics/chain'

const WIDTH = 190
const HEIGHT = 56
const MARGIN = 4

export function Smile({ points, atm }: { points: readonly SmilePoint[]; atm: number | null }) {
  const [first, last] = [points[0], points.at(-1)]
  if (!first || !last || first === last) return null
  const ivs = points.map((point) => point.iv)
  const [low, high] = [Math.min(...ivs), Math.max(...ivs)]
  const x = (strike: number): number =>
    MARGIN + ((strike - first.strike) / (last.strike - first.strike)) * (WIDTH - 2 * MARGIN)
  const y = (iv: number): number => HEIGHT - MARGIN - ((iv - low) / (high - low || 1)) * (HEIGHT - 2 * MARGIN)
  const path = points.map((point) => `${x(point.strike).toFixed(1)},${y(point.iv).toFixed(1)}`).join(' ')
  const words = `Implied volatility from ${low.toFixed(1)} to ${high.toFixed(1)} percent over ${points.length} strikes`
  return (
    <figure class="smile">
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} width={WIDTH} height={HEIGHT} role="img" aria-label={words}>
        <title>{words}</title>
        {atm !== null && <line class="smile-atm" x1={x(atm)} x2={x(atm)} y1={0} y2={HEIGHT} />}
        <polyline class="smile-line" points={path} />
      </svg>
      <figcaption>
        IV {low.toFixed(1)}–{high.toFixed(1)}%
      </figcaption>
    </figure>
  )
}
