import { describe, expect, it } from 'vitest'
import {
  type Draft,
  type Terms,
  emptyDraft,
  fitted,
  newReference,
  placeBody,
  plannedBody,
  problemsOf,
  takenFor,
  termsFrom,
} from './ticket'

const CALL = { instrument: 'NSE_FNO.49081', segment: 'NSE_FNO', lot_size: 65, multiplier: 1, tick_size: 5 }
const TERMS: Terms = {
  phase: 'CONTINUOUS',
  now: { order_types: ['LIMIT', 'MARKET', 'STOP_LOSS'], validities: ['DAY', 'IOC'], disclosed: false },
  when_open: { order_types: ['LIMIT', 'MARKET', 'STOP_LOSS'], validities: ['DAY', 'IOC'], disclosed: false },
  after_market: false,
  products: ['INTRADAY', 'MARGIN'],
  least_disclosed_percent: null,
  freeze_quantity: 1800,
  lower_limit: 5,
  upper_limit: 200_000,
  last_price: 15230,
  protected_price: { BUY: 16750, SELL: 13710 },
  next_open: null,
}

function draft(changes: Partial<Draft> = {}): Draft {
  return { ...emptyDraft('BUY', 'MARGIN', 65), limit_price: 15230, ...changes }
}

function problems(changes: Partial<Draft>): string[] {
  return Object.keys(problemsOf(draft(changes), CALL, TERMS))
}

describe('what is wrong with a ticket', () => {
  it('is nothing, of a plain order', () => {
    expect(problems({})).toEqual([])
    expect(problems({ order_type: 'MARKET', limit_price: null })).toEqual([])
  })

  it.each<[Partial<Draft>, string]>([
    [{ quantity: 0 }, 'quantity'],
    [{ quantity: 100 }, 'quantity'],
    [{ quantity: 65 * 28 }, 'quantity'],
    [{ disclosed_quantity: 64 }, 'disclosed_quantity'],
    [{ disclosed_quantity: 130 }, 'disclosed_quantity'],
    [{ limit_price: null }, 'limit_price'],
    [{ limit_price: 15231 }, 'limit_price'],
    [{ limit_price: 300_000 }, 'limit_price'],
    [{ order_type: 'STOP_LOSS', trigger_price: null }, 'trigger_price'],
    [{ order_type: 'STOP_LOSS', trigger_price: 15300 }, 'limit_price'],
    [{ kind: 'BRACKET' }, 'target_price'],
    [{ kind: 'BRACKET', target_price: 15000 }, 'target_price'],
    [{ kind: 'BRACKET', stop_price: 15300 }, 'stop_price'],
    [{ kind: 'BRACKET', target_price: 17000, trailing_jump: 100 }, 'trailing_jump'],
    [{ kind: 'OCO', target_price: 17000 }, 'stop_price'],
  ])('%o is told at its field', (changes, field) => {
    expect(problems(changes)).toEqual([field])
  })

  it('is no freeze once it is sliced', () => {
    expect(problems({ quantity: 65 * 28, slice: true })).toEqual([])
  })

  it('is not looked for in fields that the order does not use', () => {
    expect(problems({ order_type: 'MARKET', limit_price: 1, trigger_price: 3, target_price: 7 })).toEqual([])
  })
})

describe('what a ticket asks for', () => {
  it('is only what its kind of order uses', () => {
    expect(placeBody(draft({ trigger_price: 3, target_price: 5 }), CALL, 3, 't-1')).toEqual({
      account: 3,
      instrument: 'NSE_FNO.49081',
      client_reference: 't-1',
      side: 'BUY',
      product: 'MARGIN',
      quantity: 65,
      order_type: 'LIMIT',
      validity: 'DAY',
      limit_price: '152.30',
    })
  })

  it('is a bracket with its exits', () => {
    const bracket = draft({ kind: 'BRACKET', target_price: 17000, stop_price: 14500, trailing_jump: 100 })
    expect(placeBody(bracket, CALL, 3, 't-2')).toMatchObject({
      limit_price: '152.30',
      target_price: '170.00',
      stop_price: '145.00',
      trailing_jump: '1.00',
    })
  })

  it('is a pair of exits without an entry', () => {
    const body = placeBody(draft({ kind: 'OCO', side: 'SELL', target_price: 17000, stop_price: 14500 }), CALL, 3, 't-3')
    expect(body).toMatchObject({ oco: true, target_price: '170.00', stop_price: '145.00' })
    expect(body).not.toHaveProperty('limit_price')
  })

  it("waits across days when it is forever, and only then or after the market is it a day's order by force", () => {
    expect(placeBody(draft({ kind: 'FOREVER', validity: 'IOC' }), CALL, 3, 't-4')).toMatchObject({
      forever: true,
      validity: 'DAY',
    })
    expect(placeBody(draft({ validity: 'IOC' }), CALL, 3, 't-5')).toMatchObject({ validity: 'IOC' })
  })

  it('is margined at its limit, or at what protects a market order', () => {
    expect(plannedBody(draft(), CALL, TERMS)).toMatchObject({ quantity: 65, price: '152.30' })
    expect(plannedBody(draft({ order_type: 'MARKET', side: 'SELL' }), CALL, TERMS)).toMatchObject({ price: '137.10' })
    expect(plannedBody(draft({ order_type: 'MARKET' }), CALL, null)).not.toHaveProperty('price')
  })
})

it("offers a closed market's orders for its opening", () => {
  const closed: Terms = { ...TERMS, phase: 'CLOSED', now: { order_types: [], validities: [], disclosed: false } }
  expect(takenFor(draft(), closed).order_types).toEqual([])
  expect(takenFor(draft({ after_market: true }), closed)).toEqual({ ...TERMS.when_open, validities: ['DAY'] })
})

it('names every ticket otherwise, in characters that the server takes', () => {
  const names = Array.from({ length: 50 }, newReference)
  expect(new Set(names).size).toBe(50)
  for (const name of names) expect(name).toMatch(/^[A-Za-z0-9 _.:-]{1,36}$/)
})

it('reads the terms that the server tells', () => {
  const told = {
    ...TERMS,
    least_disclosed_percent: '30',
    lower_limit: '0.05',
    upper_limit: '2000.00',
    last_price: '152.30',
    protected_price: { BUY: '167.50', SELL: '137.10' },
  }
  expect(termsFrom(told)).toEqual({ ...TERMS, least_disclosed_percent: 30 })
})

describe('a draft is fitted to what is taken', () => {
  it('waits for the opening when the market is closed', () => {
    const closed = { ...TERMS, phase: 'CLOSED', after_market: true, now: { ...TERMS.now, order_types: [] } }
    expect(fitted(draft({ validity: 'IOC' }), closed)).toMatchObject({ after_market: true, validity: 'DAY' })
    expect(fitted(draft({ kind: 'FOREVER' }), closed).after_market).toBe(false)
  })

  it('keeps what is possible and leaves what is not', () => {
    const asked = draft({ product: 'CNC', order_type: 'STOP_LOSS_MARKET', disclosed_quantity: 65, after_market: true })
    expect(fitted(asked, TERMS)).toMatchObject({
      product: 'INTRADAY',
      order_type: 'LIMIT',
      disclosed_quantity: 0,
      after_market: false,
    })
    expect(fitted(draft({ order_type: 'MARKET' }), TERMS).order_type).toBe('MARKET')
    expect(fitted(draft({ order_type: 'MARKET', kind: 'FOREVER' }), TERMS).order_type).toBe('LIMIT')
  })
})
