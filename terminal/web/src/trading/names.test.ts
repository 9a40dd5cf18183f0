import { expect, it } from 'vitest'

import type { Instrument } from '../api/types'
import { nameOf } from './names'

const CALL = {
  symbol: 'NIFTY-Feb2026-25800-CE',
  underlying_symbol: 'NIFTY',
  expiry: '2026-02-10',
  strike: '25800.00',
  option_type: 'CALL',
} as Instrument

it('tells the two expiries of a month apart, which their symbols do not', () => {
  expect(nameOf(CALL, 'a')).toBe('NIFTY 10 Feb 26 25800 CE')
  expect(nameOf({ ...CALL, expiry: '2026-09-29', strike: '247.50', option_type: 'PUT' }, 'a')).toBe(
    'NIFTY 29 Sep 26 247.50 PE',
  )
})

it('calls futures futures, shares by their symbol, and what is not known yet by its key', () => {
  expect(nameOf({ ...CALL, strike: null, option_type: null }, 'a')).toBe('NIFTY 10 Feb 26 FUT')
  expect(nameOf({ ...CALL, expiry: null, symbol: 'RELIANCE' }, 'a')).toBe('RELIANCE')
  expect(nameOf(undefined, 'NSE_FNO.49081')).toBe('NSE_FNO.49081')
})
