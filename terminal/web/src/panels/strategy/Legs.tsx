/** The legs of the strategy, each changed where it stands. */

import { percent, price } from '../../format/price'
import { addToStrategy, changeLeg, MOST_LEGS, removeLeg } from '../../trading/building'
import { CountInput } from '../../trading/CountInput'
import { shortDay } from '../../trading/names'
import { PriceInput } from '../../trading/PriceInput'
import {
  contractFor,
  entryPrice,
  quantityOf,
  type StrategyLeg,
  type Underlying,
  type Views,
} from '../../trading/strategy'
import { opposite, SIDE_WORDS } from '../../trading/words'
import { Button } from '../../ui/Button'
import { Select } from '../../ui/Field'

interface LegsProps {
  legs: readonly StrategyLeg[]
  expiries: readonly string[]
  views: Views
  underlying: Underlying
}

/** Index and commodity options all trade in steps of five paise or ten; the server checks the contract's own. */
const TICK = 5

export function Legs({ legs, expiries, views, underlying }: LegsProps) {
  const first = views.get(expiries[0] ?? '') ?? [...views.values()][0]
  const add = () => {
    if (!first?.atm) return
    addToStrategy(underlying, { side: 'BUY', right: 'CALL', strike: first.atm, expiry: first.expiry })
  }
  return (
    <>
      <ol class="legs" aria-label="Legs">
        {legs.map((leg, place) => (
          <LegRow key={leg.id} leg={leg} number={place + 1} expiries={expiries} views={views} underlying={underlying} />
        ))}
      </ol>
      <Button small class="legs-add" disabled={!first?.atm || legs.length >= MOST_LEGS} onClick={add}>
        Add a leg
      </Button>
    </>
  )
}

interface LegRowProps extends Omit<LegsProps, 'legs'> {
  leg: StrategyLeg
  number: number
}

function LegRow({ leg, number, expiries, views, underlying }: LegRowProps) {
  const contract = contractFor(leg, views)
  const strikes = views.get(leg.expiry)?.strikes ?? [leg.strike]
  const change = (changes: Partial<StrategyLeg>) => changeLeg(leg.id, changes)
  return (
    <li class="leg" aria-label={`Leg ${number}`}>
      <Button
        small
        tone={leg.side === 'BUY' ? 'buy' : 'sell'}
        aria-label={`Leg ${number}: ${SIDE_WORDS[leg.side]}. Turn it`}
        onClick={() => change({ side: opposite(leg.side) })}
      >
        {SIDE_WORDS[leg.side]}
      </Button>
      <CountInput
        label="Lots"
        hideLabel
        value={leg.lots}
        least={1}
        onValue={(lots) => change({ lots: Math.max(lots, 1) })}
      />
      <Select
        label="Expiry"
        hideLabel
        value={leg.expiry}
        options={expiries.map((each) => [each, shortDay(each)] as const)}
        onValue={(expiry) => change({ expiry })}
      />
      <Select
        label="Strike"
        hideLabel
        value={String(leg.strike)}
        options={strikes.map((strike) => [String(strike), String(strike / 100)] as const)}
        onValue={(strike) => change({ strike: Number(strike) })}
      />
      <Button
        small
        aria-label={`Leg ${number}: ${leg.right === 'CALL' ? 'CE, a call' : 'PE, a put'}. Turn it`}
        onClick={() => change({ right: leg.right === 'CALL' ? 'PUT' : 'CALL' })}
      >
        {leg.right === 'CALL' ? 'CE' : 'PE'}
      </Button>
      <Button small tone="quiet" aria-label={`Remove leg ${number}`} onClick={() => removeLeg(leg.id)}>
        ✕
      </Button>
      <div class="leg-price">
        <PriceInput
          label="Limit price"
          hideLabel
          value={leg.price}
          tick={TICK}
          from={entryPrice(leg, contract)}
          placeholder={`Market ${price(entryPrice(leg, contract))}`}
          onValue={(own) => change({ price: own })}
        />
      </div>
      <p class="leg-note">
        {contract === null ? (
          <span class="down">Not listed</span>
        ) : (
          <span class={contract.stale ? 'stale' : undefined}>
            {quantityOf(leg, underlying)} at {price(contract.last)}, IV{' '}
            {contract.iv === null ? '–' : percent(contract.iv).slice(1)}
          </span>
        )}
      </p>
    </li>
  )
}
