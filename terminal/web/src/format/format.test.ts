import { describe, expect, it } from 'vitest'

import { money, paise, percent, price, rupees, short, signed, tone } from './price'
import { lots, quantity } from './quantity'
import { age, date, time } from './time'

describe('prices', () => {
  it('are rupees in Indian grouping, and a dash while not known', () => {
    expect(price(2_610_040)).toBe('26,100.40')
    expect(price(1_234_567_890)).toBe('1,23,45,678.90')
    expect(price(0)).toBe('–')
    expect(money(0)).toBe('0.00')
  })

  it('have their sign with a true minus', () => {
    expect(signed(1_230)).toBe('+12.30')
    expect(signed(-400)).toBe('−4.00')
    expect(signed(0)).toBe('0.00')
    expect(percent(-1.234)).toBe('−1.23%')
    expect(percent(Number.NaN)).toBe('–')
    expect([tone(1), tone(-1), tone(0)]).toEqual(['up', 'down', 'flat'])
  })

  it('are read from what people type, to the paisa', () => {
    expect(paise('26,100.4')).toBe(2_610_040)
    expect(paise('0.05')).toBe(5)
    expect(paise('-3')).toBe(-300)
    expect(paise('1.005')).toBeNull()
    expect(paise('one')).toBeNull()
  })

  it('go to the server as text', () => {
    expect(rupees(2_610_040)).toBe('26100.40')
    expect(rupees(-5)).toBe('-0.05')
  })

  it('are shortened by lakh and crore', () => {
    expect(short(99_999)).toBe('99,999')
    expect(short(1_234_567)).toBe('12.35 L')
    expect(short(45_600_000)).toBe('4.56 Cr')
  })
})

describe('quantities', () => {
  it('are lots where they are whole ones', () => {
    expect(lots(195, 65)).toBe('3 lots')
    expect(lots(-65, 65)).toBe('-1 lot')
    expect(lots(100, 65)).toBe('100')
    expect(quantity(1_234_567)).toBe('12,34,567')
  })
})

describe('times', () => {
  it('are Indian, whatever this machine thinks', () => {
    expect(time(Date.UTC(2026, 1, 3, 3, 45, 7))).toBe('09:15:07')
    expect(date('2026-02-24')).toBe('24 Feb 2026')
  })

  it('are old by a word', () => {
    expect([age(850), age(12_400), age(4 * 60_000), age(3 * 3_600_000)]).toEqual(['850 ms', '12 s', '4 min', '3 h'])
  })
})
