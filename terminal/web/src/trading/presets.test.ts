import { expect, it } from 'vitest'
import { type Preset, PRESETS, nearestIndex, needsTwoExpiries, placedOn } from './presets'

const STRIKES = [25700, 25750, 25800, 25850, 25900, 25950, 26000, 26050, 26100, 26150, 26200, 26250, 26300]

function preset(id: string): Preset {
  const found = PRESETS.find((each) => each.id === id)
  if (found === undefined) throw new Error(id)
  return found
}

it('lays an iron condor around ATM, two strikes a wing', () => {
  const legs = placedOn(preset('iron-condor'), STRIKES, 26000, 2)
  expect(legs?.map(({ side, right, strike }) => `${side} ${strike} ${right}`)).toEqual([
    'BUY 25800 PUT',
    'SELL 25900 PUT',
    'SELL 26100 CALL',
    'BUY 26200 CALL',
  ])
})

it('sells two in the middle of a butterfly', () => {
  expect(placedOn(preset('call-butterfly'), STRIKES, 26000, 1)?.map(({ lots }) => lots)).toEqual([1, 2, 1])
})

it('lays nothing where a strike is not listed', () => {
  expect(placedOn(preset('iron-condor'), STRIKES, 26250, 2)).toBeNull()
  expect(placedOn(preset('iron-condor'), [], 26000, 1)).toBeNull()
})

it('takes the lower of two strikes that are equally near', () => {
  expect(STRIKES[nearestIndex(STRIKES, 26025)]).toBe(26000)
  expect(STRIKES[nearestIndex(STRIKES, 26026)]).toBe(26050)
})

it('knows which need a later expiry', () => {
  expect(PRESETS.filter(needsTwoExpiries).map(({ id }) => id)).toEqual(['call-calendar'])
})

it.each(PRESETS)('$name is bought and sold in its own legs, each once', ({ legs }) => {
  const names = legs.map(({ side, right, rank, expiry }) => `${side} ${right} ${rank} ${expiry}`)
  expect(new Set(names).size).toBe(names.length)
})
