import { expect, it } from 'vitest'

import { placeOf, roomAround, shownPrices, ticks, valueAt } from './scale'

it('places figures, upward where the end lies before the start', () => {
  const scale = { from: -100, to: 100, start: 200, end: 0 }
  expect([-100, 0, 100].map((value) => placeOf(scale, value))).toEqual([200, 100, 0])
  expect(valueAt(scale, 50)).toBe(50)
})

it('writes round figures', () => {
  expect(ticks(25_480, 26_530, 5)).toEqual([25_500, 25_750, 26_000, 26_250, 26_500])
  expect(ticks(-4_300, 3_900, 4)).toEqual([-2_500, 0, 2_500])
  expect(ticks(5, 5, 4)).toEqual([])
})

it('shows strikes and forward with room beside them', () => {
  expect(shownPrices([25_800, 26_200], 26_000)).toEqual([25_280, 26_720])
  expect(shownPrices([26_000], 26_000)).toEqual([25_480, 26_520])
})

it('leaves room above and below, and shows zero', () => {
  expect(roomAround([50, 100])).toEqual([-8, 108])
  expect(roomAround([])).toEqual([-0.08, 0.08])
})
