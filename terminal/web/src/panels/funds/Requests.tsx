/** Asking to pay in or out, and what became of it. */

import { useState } from 'preact/hooks'

import { api, sentence } from '../../api/rest'
import type { FundsBody, TradingAccount } from '../../api/types'
import { money, paise, rupees } from '../../format/price'
import { day, minute } from '../../format/time'
import { CanNotTrade } from '../../trading/Books'
import type { Column } from '../../trading/BookTable'
import { usePages } from '../../trading/pages'
import { PagedTable } from '../../trading/PagedTable'
import { Chip } from '../../trading/pieces'
import { PriceInput } from '../../trading/PriceInput'
import { Button } from '../../ui/Button'
import { Field, Select } from '../../ui/Field'

interface FundsRequest {
  id: number
  direction: 'IN' | 'OUT'
  amount: string
  reason: string
  state: 'WAITING' | 'DONE' | 'REFUSED'
  requested_by: string
  requested_at: string
  decided_by: string | null
  refusal: string
}

type Direction = FundsRequest['direction']

const RUPEE = 100
const REASON_LENGTH = 200

export function Requests({ account, funds }: { account: TradingAccount; funds: FundsBody }) {
  const requests = usePages<FundsRequest>(`accounts/${account.id}/funds-requests`)
  return (
    <>
      {account.can_trade ? <Ask account={account} funds={funds} onAsked={requests.reload} /> : <CanNotTrade />}
      <PagedTable
        label="Requests"
        pages={requests}
        columns={COLUMNS}
        rowKey={(request) => request.id}
        none="Nothing was asked for yet"
      />
    </>
  )
}

interface AskProps {
  account: TradingAccount
  funds: FundsBody
  onAsked: () => void
}

function Ask({ account, funds, onAsked }: AskProps) {
  const [direction, setDirection] = useState<Direction>('IN')
  const [amount, setAmount] = useState<number | null>(null)
  const [reason, setReason] = useState('')
  const [busy, setBusy] = useState(false)
  const [refused, setRefused] = useState<string | null>(null)
  const most = funds.available - funds.floor
  const tooMuch = direction === 'OUT' && amount !== null && amount > most
  const ask = async () => {
    if (amount === null || tooMuch || !reason.trim() || busy) return
    setBusy(true)
    try {
      await api.post(`accounts/${account.id}/funds-requests`, {
        direction,
        amount: rupees(amount),
        reason: reason.trim(),
      })
      setAmount(null)
      setReason('')
      setRefused(null)
      onAsked()
    } catch (error) {
      setRefused(sentence(error))
    }
    setBusy(false)
  }
  return (
    <form
      class="book-edit"
      onSubmit={(event) => {
        event.preventDefault()
        void ask()
      }}
    >
      <Select
        label="What"
        value={direction}
        options={[
          ['IN', 'Add'],
          ['OUT', 'Withdraw'],
        ]}
        onValue={(value) => setDirection(value as Direction)}
      />
      <PriceInput
        label="Amount"
        value={amount}
        tick={RUPEE}
        error={tooMuch ? `At most ${money(most)} are available.` : undefined}
        onValue={setAmount}
      />
      <Field
        label="Reason"
        value={reason}
        maxLength={REASON_LENGTH}
        placeholder="Transfer of today"
        onValue={setReason}
      />
      <Button
        tone="primary"
        type="submit"
        busy={busy}
        disabled={amount === null || amount <= 0 || tooMuch || !reason.trim()}
      >
        Ask
      </Button>
      {refused && (
        <p class="field-error" role="alert">
          {refused}
        </p>
      )}
    </form>
  )
}

const STATES: Record<FundsRequest['state'], readonly ['wait' | 'good' | 'bad', string]> = {
  WAITING: ['wait', 'Waits for approval'],
  DONE: ['good', 'Done'],
  REFUSED: ['bad', 'Refused'],
}

const COLUMNS: Column<FundsRequest>[] = [
  { id: 'at', title: 'Asked', cell: (request) => `${day(request.requested_at)} ${minute(request.requested_at)}` },
  { id: 'direction', title: 'What', cell: (request) => (request.direction === 'IN' ? 'Add' : 'Withdraw') },
  { id: 'amount', title: 'Amount', figure: true, cell: (request) => money(paise(request.amount)) },
  {
    id: 'state',
    title: 'State',
    cell: (request) => (
      <>
        <Chip tone={STATES[request.state][0]}>{STATES[request.state][1]}</Chip>
        {request.refusal && <span class="book-reason"> {request.refusal}</span>}
      </>
    ),
  },
  { id: 'reason', title: 'Reason', cell: (request) => request.reason },
  { id: 'by', title: 'By', cell: (request) => request.requested_by },
  { id: 'decided', title: 'Decided by', cell: (request) => request.decided_by ?? '' },
]
