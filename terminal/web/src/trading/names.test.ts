import { expect, it } from 'vitest'

import type { Instrument } from '../api/types'
import { labelOf, nameOf } from './names'

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

it('reads the day of a contract from its listed name where there is no listing', () => {
  const call = { instrument: 'NSE_FNO.49081', symbol: 'NIFTY-Feb2026-25800-CE', name: 'NIFTY 10 FEB 25800 CALL' }
  expect(labelOf(call)).toBe('NIFTY 10 Feb 25800 CE')
  expect(labelOf({ ...call, name: 'M&M 24 FEB 3200 PUT' })).toBe('M&M 24 Feb 3200 PE')
  expect(labelOf({ ...call, name: '' })).toBe('NIFTY-Feb2026-25800-CE')
  expect(labelOf({ instrument: 'NSE_EQ.2885', symbol: 'RELIANCE', name: 'Reliance Industries' })).toBe('RELIANCE')
})
