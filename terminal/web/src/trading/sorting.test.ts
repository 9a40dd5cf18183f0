import { expect, it } from 'vitest'

import { sortedBy } from './sorting'

const ROWS = [
  { id: 1, symbol: 'NIFTY 26000 CE', profit: 500 },
  { id: 2, symbol: 'NIFTY 900 CE', profit: null },
  { id: 3, symbol: 'BANKNIFTY', profit: -20 },
  { id: 4, symbol: 'NIFTY 26000 CE', profit: -20 },
]
const ids = (rows: readonly { id: number }[]) => rows.map(({ id }) => id)

it('sorts numbers by size, what is not known last either way', () => {
  expect(ids(sortedBy(ROWS, ({ profit }) => profit, false))).toEqual([3, 4, 1, 2])
  expect(ids(sortedBy(ROWS, ({ profit }) => profit, true))).toEqual([1, 3, 4, 2])
})

it('sorts names as people read them: 900 before 26000', () => {
  expect(ids(sortedBy(ROWS, ({ symbol }) => symbol, false))).toEqual([3, 2, 1, 4])
})

it('leaves the rows it was given alone', () => {
  sortedBy(ROWS, ({ id }) => id, true)
  expect(ids(ROWS)).toEqual([1, 2, 3, 4])
})
