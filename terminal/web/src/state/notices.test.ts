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

  it('of an alert that fired: what was asked, and how far it went', () => {
    const body = {
      id: 5,
      instrument: 'NSE_EQ.2885',
      symbol: 'RELIANCE',
      column: 'LAST_PRICE',
      direction: 'ABOVE',
      level: 285_000,
      reached: 285_150,
      note: 'take profit',
    }
    expect(noticeOf([1, 'ALERT_FIRED', body], symbol)).toMatchObject({
      title: 'Alert: RELIANCE',
      text: 'Last price above 2,850.00; reached 2,851.50 · take profit',
    })
  })

  it('of an account in deficit, but not of an own alert that was only changed', () => {
    expect(noticeOf([1, 'ALERT', { code: 'DEFICIT' }], symbol)).toMatchObject({ tone: 'bad' })
    expect(noticeOf([1, 'ALERT', { id: 5, status: 'PAUSED' }], symbol)).toBeNull()
  })
})
