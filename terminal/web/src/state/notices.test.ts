import { describe, expect, it } from 'vitest'

import { noticeOf } from './notices'

const symbol = (key: string) => (key === 'NSE_EQ.2885' ? 'RELIANCE' : key)

describe('what a trader is told', () => {
  it('of a fill: what, how many, at what price', () => {
    const body = { side: 'BUY', quantity: 1_500, instrument: 'NSE_EQ.2885', price: 284_550 }
    expect(noticeOf([1, 'TRADE', body], symbol)).toEqual({
      tone: 'good',
      title: 'Bought',
      text: '1,500 RELIANCE at 2,845.50',
      instrument: 'NSE_EQ.2885',
    })
  })

  it('of a refusal: the server’s sentence', () => {
    const body = { instrument: 'NSE_EQ.2885', code: 'INSUFFICIENT_FUNDS', message: 'It needs 500.00 more.' }
    expect(noticeOf([1, 'REFUSAL', body], symbol)).toMatchObject({ tone: 'bad', text: 'It needs 500.00 more.' })
  })

  it('of an order that ended without being filled', () => {
    const body = { instrument: 'NSE_EQ.2885', status: 'CANCELLED', reason: '', sequence: 4, filled_quantity: 0 }
    expect(noticeOf([1, 'ORDER', body], symbol)).toMatchObject({ title: 'Order cancelled', text: 'RELIANCE' })
  })

  it('not of an order that goes on, nor of money that moves', () => {
    expect(noticeOf([1, 'ORDER', { status: 'PENDING', instrument: 'NSE_EQ.2885' }], symbol)).toBeNull()
    expect(noticeOf([1, 'FUNDS', { cash: 1 }], symbol)).toBeNull()
  })
})
