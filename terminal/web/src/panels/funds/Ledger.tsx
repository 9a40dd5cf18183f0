/** Every movement of the account's cash, newest first. */

import { useState } from 'preact/hooks'

import type { TradingAccount } from '../../api/types'
import { money, paise } from '../../format/price'
import { date } from '../../format/time'
import type { Column } from '../../trading/BookTable'
import { usePages } from '../../trading/pages'
import { PagedTable } from '../../trading/PagedTable'
import { Gain } from '../../trading/pieces'
import { Field, Select } from '../../ui/Field'

interface Entry {
  id: number
  reference: string
  kind: string
  amount: string
  trading_date: string
  actor: string | null
  reason: string
}

const KINDS: readonly (readonly [string, string])[] = [
  ['', 'Everything'],
  ['FUNDS_IN', 'Paid in'],
  ['FUNDS_OUT', 'Paid out'],
  ['TRADE', 'Trades'],
  ['CHARGES', 'Charges'],
  ['MARK_TO_MARKET', 'Marked to market'],
  ['EXPIRY', 'Expiry'],
  ['INTEREST', 'Interest'],
  ['CORRECTION', 'Corrections'],
]

/** `cash` changes with every movement: then the first page is read again. */
export function Ledger({ account, cash }: { account: TradingAccount; cash: number }) {
  const [kind, setKind] = useState('')
  const [first, setFirst] = useState('')
  const [last, setLast] = useState('')
  const query = { kind: kind || undefined, first: first || undefined, last: last || undefined }
  const pages = usePages<Entry>(`accounts/${account.id}/ledger`, query, true, cash)
  return (
    <>
      <div class="book-edit">
        <Select label="Kind" value={kind} options={KINDS} onValue={setKind} />
        <Field label="From" type="date" value={first} onValue={setFirst} />
        <Field label="To" type="date" value={last} onValue={setLast} />
      </div>
      <PagedTable label="Ledger" pages={pages} columns={COLUMNS} rowKey={(entry) => entry.id} none="No movements" />
      <p class="book-dim book-note">Cash now {money(cash)}</p>
    </>
  )
}

const COLUMNS: Column<Entry>[] = [
  { id: 'date', title: 'Day', cell: (entry) => date(entry.trading_date) },
  { id: 'kind', title: 'Kind', cell: (entry) => KINDS.find(([kind]) => kind === entry.kind)?.[1] ?? entry.kind },
  { id: 'amount', title: 'Amount', figure: true, cell: (entry) => <Gain paise={paise(entry.amount)} /> },
  { id: 'reason', title: 'Reason', cell: (entry) => entry.reason },
  { id: 'reference', title: 'Reference', cell: (entry) => <code>{entry.reference}</code> },
  { id: 'actor', title: 'By', cell: (entry) => entry.actor ?? '' },
]
