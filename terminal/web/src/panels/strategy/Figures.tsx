/** What the strategy comes to: profit, loss, where it breaks even, how likely, and its greeks. */

import type { ComponentChildren } from 'preact'
import { useMemo } from 'preact/hooks'

import { money, price, signed, tone } from '../../format/price'
import { breakevens, chanceOfProfit, extremes, netPremium, strategyGreeks } from '../../trading/payoff'
import type { Drawing } from '../../trading/strategy'

const PAISE = 100
const PERCENT = 100

export function Figures({ drawing }: { drawing: Drawing }) {
  const found = useMemo(() => figuresOf(drawing), [drawing])
  const { profit, loss, premium, turns, chance, greeks } = found
  return (
    <dl class="figures">
      <Figure name="Most profit" hint="At the first expiry">
        <span class="up">{profit === null ? 'Unlimited' : money(profit)}</span>
      </Figure>
      <Figure name="Most loss" hint="At the first expiry">
        <span class="down">{loss === null ? 'Unlimited' : money(loss)}</span>
      </Figure>
      <Figure name={premium >= 0 ? 'You pay' : 'You receive'}>{money(Math.abs(premium))}</Figure>
      <Figure name="Breaks even at">{turns.length ? turns.map((each) => price(each)).join(' · ') : 'nowhere'}</Figure>
      <Figure name="Chance of profit" hint="By the volatility at the money, were the forward the mean">
        {chance === null ? '–' : `${Math.round(chance * PERCENT)} %`}
      </Figure>
      <Figure name="Delta" hint="Rupees for a rupee of the underlying">
        {greeks ? greeks.delta.toFixed(2) : '–'}
      </Figure>
      <Figure name="Gamma">{greeks ? greeks.gamma.toFixed(4) : '–'}</Figure>
      <Figure name="Theta" hint="Rupees a calendar day">
        <span class={tone(greeks?.theta)}>{greeks ? signed(greeks.theta * PAISE) : '–'}</span>
      </Figure>
      <Figure name="Vega" hint="Rupees a point of volatility">
        <span class={tone(greeks?.vega)}>{greeks ? signed(greeks.vega * PAISE) : '–'}</span>
      </Figure>
    </dl>
  )
}

/** Money in paise. */
function figuresOf({ legs, forward, rate, volatility }: Drawing) {
  const { profit, loss } = extremes(legs, forward, rate)
  return {
    profit: profit === null ? null : Math.round(profit * PAISE),
    loss: loss === null ? null : Math.round(loss * PAISE),
    premium: Math.round(netPremium(legs) * PAISE),
    turns: breakevens(legs, forward, rate).map((each) => Math.round(each * PAISE)),
    chance: volatility === null ? null : chanceOfProfit(legs, forward, rate, volatility),
    greeks: strategyGreeks(legs, forward, rate),
  }
}

function Figure({ name, hint, children }: { name: string; hint?: string; children: ComponentChildren }) {
  return (
    <div title={hint}>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  )
}
