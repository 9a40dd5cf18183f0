import { describe, expect, it } from 'vitest'

import type { Instrument } from '../../api/types'
import { grouped, underlyingOf, type Underlying } from './underlyings'

const KNOWN: Underlying[] = [
  { segment: 'NSE_FNO', underlying: 'NIFTY', instrument_type: 'OPTIDX', lot_size: 65 },
  { segment: 'NSE_FNO', underlying: 'RELIANCE', instrument_type: 'OPTSTK', lot_size: 500 },
  { segment: 'BSE_FNO', underlying: 'RELIANCE', instrument_type: 'OPTSTK', lot_size: 500 },
]

function listed(segment: string, symbol: string, underlying = ''): Instrument {
  return { segment, symbol, underlying_symbol: underlying } as Instrument
}

describe('the chain of an instrument', () => {
  it('is that of its underlying, on its own segment', () => {
    expect(underlyingOf(listed('BSE_FNO', 'RELIANCE 26 FEB 1400 CALL', 'RELIANCE'), KNOWN)).toBe(KNOWN[2])
  })
  it('is that of its own exchange for a share or an index', () => {
    expect(underlyingOf(listed('BSE_EQ', 'RELIANCE'), KNOWN)).toBe(KNOWN[2])
    expect(underlyingOf(listed('IDX_I', 'NIFTY'), KNOWN)).toBe(KNOWN[0])
  })
  it('is none for what has no options', () => {
    expect(underlyingOf(listed('NSE_EQ', 'SMALLCO'), KNOWN)).toBeUndefined()
  })
})

describe('the choice of underlyings', () => {
  it('offers indices before stocks and leaves empty kinds out', () => {
    expect(grouped([...KNOWN].reverse()).map((group) => [group.title, group.members.length])).toEqual([
      ['Indices', 1],
      ['Stocks', 2],
    ])
  })
})
