/** What the strategy needs, keeping it as a basket, and placing all of it or none. */

import { useRef, useState } from 'preact/hooks'

import { ApiError, sentence } from '../../api/rest'
import type { TradingAccount } from '../../api/types'
import { money, paise } from '../../format/price'
import { instrument } from '../../state/selection'
import { notify } from '../../state/notifications'
import { build, building, nextLegId } from '../../trading/building'
import { Choice } from '../../trading/Choice'
import { basketLegs, legsOfBasket, marginLegs, type Basket, type Underlying, type Views } from '../../trading/strategy'
import { newReference } from '../../trading/ticket'
import { PRODUCT_WORDS } from '../../trading/words'
import { Button } from '../../ui/Button'
import { confirm } from '../../ui/Confirm'
import { Field, Select } from '../../ui/Field'
import { useLoaded } from '../../ui/useLoaded'
import {
  basketsOf,
  deleteBasket,
  placeBasket,
  previewBasket,
  reportOf,
  saveBasket,
  useMargin,
  type LegReport,
} from './asking'
import { Margin } from './Margin'
import { Report } from './Report'

interface BasketsProps {
  views: Views
  underlying: Underlying
  account: TradingAccount
}

interface Outcome {
  text: string
  legs: readonly LegReport[]
}

const NAME_LENGTH = 60

export function Baskets({ views, underlying, account }: BasketsProps) {
  const { legs, product, basket, name } = building.value
  const kept = useLoaded(() => basketsOf(account.id), [account.id])
  const rows = basketLegs(legs, views, underlying, product)
  const shape = JSON.stringify([legs.map(({ id: _id, ...leg }) => leg), product, rows !== null])
  const margin = useMargin(account.id, marginLegs(legs, views, underlying, product), shape)
  const { busy, outcome, doing, setOutcome } = useDoing()
  const reference = useRef(newReference())
  const save = async (): Promise<number> => {
    const saved = await saveBasket(basket, account.id, name.trim() || `${underlying.underlying} strategy`, rows ?? [])
    build({ basket: saved.id, name: saved.name })
    kept.reload()
    return saved.id
  }
  const place = async () => {
    const id = await save()
    const preview = await previewBasket(id)
    if (preview.legs.some(({ code }) => code)) {
      setOutcome({ text: 'Nothing was placed: these legs would be refused.', legs: preview.legs })
      return
    }
    const needs = money(preview.total === null ? null : paise(preview.total))
    const text = `${legs.length} legs, bought ones first, all or none. It needs a margin of ${needs}.`
    if (!(await confirm({ title: `Place “${building.value.name}”?`, text, action: `Place ${legs.length} legs` })))
      return
    const { orders } = await placeBasket(id, reference.current)
    reference.current = newReference()
    setOutcome({ text: `${orders.length} orders are on their way.`, legs: preview.legs })
    notify({ tone: 'info', title: `Placed ${building.value.name}`, text: `${orders.length} orders` })
  }
  const refusedAnew = (error: unknown) => {
    if (error instanceof ApiError && error.status >= 400 && error.status < 500) reference.current = newReference()
  }
  const mayPlace = account.can_trade && rows !== null && rows.length > 0
  return (
    <div class="strategy-basket">
      <Margin state={margin} />
      <div class="book-edit">
        <Choice
          label="Product"
          value={product}
          options={[
            ['MARGIN', PRODUCT_WORDS.MARGIN],
            ['INTRADAY', PRODUCT_WORDS.INTRADAY],
          ]}
          onValue={(chosen) => build({ product: chosen })}
        />
        <Field
          label="Name"
          hideLabel
          placeholder="Name of the basket"
          value={name}
          maxLength={NAME_LENGTH}
          onValue={(typed) => build({ name: typed })}
        />
        <Button tone="primary" busy={busy} disabled={!mayPlace} onClick={() => void doing(place, refusedAnew)}>
          Place all
        </Button>
        <Button busy={busy} disabled={!mayPlace} onClick={() => void doing(async () => void (await save()))}>
          {basket === null ? 'Save' : 'Save changes'}
        </Button>
      </div>
      <Kept baskets={kept.value ?? []} chosen={basket} account={account} onDoing={doing} onChanged={kept.reload} />
      {kept.error !== undefined && <p class="field-error">{sentence(kept.error)}</p>}
      {outcome && <Report text={outcome.text} legs={outcome.legs} />}
    </div>
  )
}

/** One request at a time, and what came of the last. */
function useDoing() {
  const [busy, setBusy] = useState(false)
  const [outcome, setOutcome] = useState<Outcome | null>(null)
  const doing = async (action: () => Promise<void>, failed?: (error: unknown) => void) => {
    setBusy(true)
    setOutcome(null)
    try {
      await action()
    } catch (error) {
      failed?.(error)
      setOutcome({ text: sentence(error), legs: reportOf(error) ?? [] })
    }
    setBusy(false)
  }
  return { busy, outcome, doing, setOutcome }
}

interface KeptProps {
  baskets: readonly Basket[]
  chosen: number | null
  account: TradingAccount
  onDoing: (action: () => Promise<void>) => Promise<void>
  onChanged: () => void
}

function Kept({ baskets, chosen, account, onDoing, onChanged }: KeptProps) {
  const forget = async () => {
    const basket = baskets.find((each) => each.id === chosen)
    if (!basket) return
    const text = `“${basket.name}” is forgotten. Orders that were placed from it stay.`
    if (!(await confirm({ title: 'Delete this basket?', text, action: 'Delete', danger: true }))) return
    await deleteBasket(basket.id)
    build({ basket: null })
    onChanged()
  }
  return (
    <div class="book-edit strategy-kept">
      <Select
        label="Kept baskets"
        value={chosen === null ? '' : String(chosen)}
        options={[
          ['', baskets.length ? 'Load one …' : 'None yet'] as const,
          ...baskets.map((each) => [String(each.id), each.name] as const),
        ]}
        onValue={(id) => void onDoing(() => load(baskets.find((each) => each.id === Number(id))))}
      />
      <Button disabled={!building.value.legs.length} onClick={() => build({ legs: [], basket: null, name: '' })}>
        New
      </Button>
      <Button disabled={chosen === null || !account.can_trade} onClick={() => void onDoing(forget)}>
        Delete
      </Button>
    </div>
  )
}

async function load(basket: Basket | undefined): Promise<void> {
  if (basket === undefined) return build({ basket: null })
  const listings = await Promise.all(basket.legs.map((leg) => instrument(leg.instrument)))
  const found = legsOfBasket(basket, new Map(listings.map((each) => [each.instrument, each])))
  if (found === null) throw new Error('It has legs that are no options of one underlying; they cannot be drawn here.')
  const first = nextLegId(found.legs.length)
  const product = basket.legs[0]?.product === 'INTRADAY' ? 'INTRADAY' : 'MARGIN'
  const legs = found.legs.map((leg, place) => ({ ...leg, id: first + place }))
  build({ underlying: found.underlying, legs, product, basket: basket.id, name: basket.name })
}
