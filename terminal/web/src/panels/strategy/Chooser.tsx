/** On what, until when, and which ready-made strategy to begin with. */

import { useState } from 'preact/hooks'

import { price } from '../../format/price'
import { date } from '../../format/time'
import { build, building, chooseUnderlying, nextLegId } from '../../trading/building'
import { CountInput } from '../../trading/CountInput'
import { needsTwoExpiries, placedOn, PRESETS, type Preset } from '../../trading/presets'
import { legsFrom, type ChainView, type Underlying, type Views } from '../../trading/strategy'
import { Button } from '../../ui/Button'
import { Select } from '../../ui/Field'

interface ChooserProps {
  all: readonly Underlying[]
  underlying: Underlying
  expiries: readonly string[]
  expiry: string | null
  later: string | undefined
  views: Views
  onExpiry: (expiry: string) => void
}

const WIDTH = 2

export function Chooser({ all, underlying, expiries, expiry, later, views, onExpiry }: ChooserProps) {
  const [width, setWidth] = useState(WIDTH)
  const view = views.get(expiry ?? '')
  return (
    <div class="strategy-chooser">
      <Select
        label="Underlying"
        value={keyOf(underlying)}
        options={all.map((each) => [keyOf(each), each.underlying] as const)}
        onValue={(key) => {
          const found = all.find((each) => keyOf(each) === key)
          if (found) chooseUnderlying(found)
        }}
      />
      <Select
        label="Expiry"
        value={expiry ?? ''}
        options={expiries.map((each) => [each, date(each)] as const)}
        onValue={onExpiry}
      />
      <CountInput label="Strikes a wing" value={width} least={1} onValue={setWidth} />
      <p class="strategy-forward">
        <span class="book-dim">Forward</span> <b>{price(view?.forward)}</b>
      </p>
      <Presets underlying={underlying} view={view} later={later} width={width} />
    </div>
  )
}

interface PresetsProps {
  underlying: Underlying
  view: ChainView | undefined
  later: string | undefined
  width: number
}

function Presets({ underlying, view, later, width }: PresetsProps) {
  return (
    <div class="strategy-presets" role="group" aria-label="Ready-made strategies">
      {PRESETS.map((preset) => {
        const legs = view?.atm ? placedOn(preset, view.strikes, view.atm, Math.max(width, 1)) : null
        const possible = legs !== null && (later !== undefined || !needsTwoExpiries(preset))
        return (
          <Button
            key={preset.id}
            small
            disabled={!possible}
            title={possible ? preset.view : 'Its strikes or its later expiry are not listed'}
            onClick={() =>
              view && legs && take(preset, underlying, legsFrom(legs, [view.expiry, later], nextLegId(legs.length)))
            }
          >
            {preset.name}
          </Button>
        )
      })}
    </div>
  )
}

function take(preset: Preset, underlying: Underlying, legs: ReturnType<typeof legsFrom>): void {
  const { basket, name } = building.value
  build({
    underlying,
    legs,
    ...(basket === null || name === '' ? { name: `${underlying.underlying} ${preset.name}`, basket: null } : {}),
  })
}

function keyOf({ segment, underlying }: Underlying): string {
  return `${segment}.${underlying}`
}
