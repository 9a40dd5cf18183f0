/** What every panel of an account begins with: whose it is, whether it has come, and whether something was missed. */

import type { ComponentChildren } from 'preact'

import type { TradingAccount } from '../api/types'
import type { AccountState } from '../state/account'
import { currentAccount, useAccount } from '../state/accounts'
import { connection, refusalSignal, topicSignal } from '../state/store'
import { Empty, ErrorNote, Loading } from '../ui/Notes'
import './trading.css'

interface BooksProps {
  panel: string
  children: (state: AccountState, account: TradingAccount) => ComponentChildren
}

/** A panel's root around the current account's live state. */
export function Books({ panel, children }: BooksProps) {
  const state = useAccount()
  const account = currentAccount.value
  return (
    <section class="book" data-panel={panel}>
      {account === null ? <NoAccount /> : <Content state={state} account={account} draw={children} />}
    </section>
  )
}

export function NoAccount() {
  return (
    <Empty title="No trading account">
      <p>You see no trading account yet. Whoever manages accounts can give you one.</p>
    </Empty>
  )
}

/** Who may look and not trade is told so instead of being offered what would be refused. */
export function CanNotTrade() {
  return <p class="book-dim book-note">You may look at this account, but not trade it or move its money.</p>
}

interface ContentProps {
  state: AccountState | undefined
  account: TradingAccount
  draw: BooksProps['children']
}

function Content({ state, account, draw }: ContentProps) {
  const name = `account.${account.id}`
  if (refusalSignal(name).value)
    return <ErrorNote error={`The account ${account.name} is not shown to you any more.`} />
  if (state === undefined) return <Loading what={`Reading the books of ${account.name}`} />
  return (
    <>
      <Missed name={name} />
      {draw(state, account)}
    </>
  )
}

/** Books that may be behind say so, and why. */
function Missed({ name }: { name: string }) {
  const isLive = connection.value === 'LIVE'
  if (isLive && !topicSignal(name).value?.gap) return null
  const text = isLive
    ? 'Something was missed: the books are being read again.'
    : 'Not connected: the books may be behind.'
  return (
    <p class="book-missed" role="status">
      {text}
    </p>
  )
}
