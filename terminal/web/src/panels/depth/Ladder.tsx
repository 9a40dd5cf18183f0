/** Bids left, asks right, best first; a bar behind each quantity, and a click on a price opens the ticket there. */

import { largest, type Ladder as Levels, type Level } from '../../analytics/ladder'
import { price } from '../../format/price'
import { quantity } from '../../format/quantity'

export interface LadderProps {
  ladder: Levels
  levels: number
  onPrice: (side: 'BUY' | 'SELL', price: number) => void
}

export function Ladder({ ladder, levels, onPrice }: LadderProps) {
  const most = largest(ladder)
  return (
    <table class="ladder">
      <caption class="unseen">Market depth, best price first</caption>
      <thead>
        <tr>
          <th scope="col">Orders</th>
          <th scope="col">Quantity</th>
          <th scope="col">Bid</th>
          <th scope="col">Ask</th>
          <th scope="col">Quantity</th>
          <th scope="col">Orders</th>
        </tr>
      </thead>
      <tbody>
        {Array.from({ length: levels }, (_, place) => (
          <LevelRow key={place} bid={ladder.bids[place]} ask={ladder.asks[place]} most={most} onPrice={onPrice} />
        ))}
      </tbody>
    </table>
  )
}

interface LevelRowProps {
  bid: Level | undefined
  ask: Level | undefined
  most: number
  onPrice: LadderProps['onPrice']
}

function LevelRow({ bid, ask, most, onPrice }: LevelRowProps) {
  return (
    <tr>
      <td class="orders">{bid ? bid.orders : ''}</td>
      <QuantityCell level={bid} most={most} side="bid" />
      <PriceCell level={bid} side="SELL" onPrice={onPrice} />
      <PriceCell level={ask} side="BUY" onPrice={onPrice} />
      <QuantityCell level={ask} most={most} side="ask" />
      <td class="orders">{ask ? ask.orders : ''}</td>
    </tr>
  )
}

function QuantityCell({ level, most, side }: { level: Level | undefined; most: number; side: 'bid' | 'ask' }) {
  const share = level && most > 0 ? level.quantity / most : 0
  return (
    <td class={`quantity ${side}`} style={{ backgroundSize: `${Math.round(share * 100)}% 20px` }}>
      {level ? quantity(level.quantity) : ''}
    </td>
  )
}

interface PriceCellProps {
  level: Level | undefined
  side: 'BUY' | 'SELL'
  onPrice: LadderProps['onPrice']
}

function PriceCell({ level, side, onPrice }: PriceCellProps) {
  const word = side === 'BUY' ? 'Buy' : 'Sell'
  return (
    <td class={`price ${side === 'BUY' ? 'ask' : 'bid'}`}>
      {level ? (
        <button type="button" title={`${word} at ${price(level.price)}`} onClick={() => onPrice(side, level.price)}>
          {price(level.price)}
        </button>
      ) : (
        <span aria-hidden="true">–</span>
      )}
    </td>
  )
}
