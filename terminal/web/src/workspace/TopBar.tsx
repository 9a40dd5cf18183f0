/** The bar: search, indices, the exchange's clock and phases, the connection, account, panels, notifications, theme, user. */

import { currentAccount, accounts } from '../state/accounts'
import { remember, select } from '../state/selection'
import { preferences, prefer, user } from '../state/session'
import { Icon, IconButton } from '../ui/Icon'
import { Popover } from '../ui/Popover'
import { Bell } from './Bell'
import { askToReset, askToSignOut } from './commands'
import { ConnectionHealth } from './ConnectionHealth'
import { ExchangeClock } from './ExchangeClock'
import { InstrumentSearch } from './InstrumentSearch'
import { allPanels, openPanel } from './panels'
import { Ribbon } from './Ribbon'

export function TopBar() {
  return (
    <header class="topbar">
      <span class="brand">
        B<b>T</b>
        <span class="unseen"> Broking Terminal</span>
      </span>
      <div class="topbar-search">
        <InstrumentSearch
          id="search"
          label="Search an instrument"
          placeholder="Search: nifty 26000 ce  ( / )"
          onChoose={(instrument) => {
            remember([instrument])
            select(instrument.instrument)
          }}
        />
      </div>
      <Ribbon />
      <span class="spring" />
      <ExchangeClock />
      <ConnectionHealth />
      <AccountChooser />
      <PanelsMenu />
      <Bell />
      <ThemeButton />
      <UserMenu />
    </header>
  )
}

function AccountChooser() {
  if (!accounts.value.length) return <span class="dim">No account</span>
  const choose = (id: string) => {
    currentAccount.value = accounts.value.find((each) => String(each.id) === id) ?? null
  }
  return (
    <select
      class="input account-chooser"
      aria-label="Trading account"
      value={String(currentAccount.value?.id ?? '')}
      onChange={(event) => choose(event.currentTarget.value)}
    >
      {accounts.value.map((account) => (
        <option key={account.id} value={String(account.id)} selected={account.id === currentAccount.value?.id}>
          {account.name}
          {account.can_trade ? '' : ' (view only)'}
        </option>
      ))}
    </select>
  )
}

function PanelsMenu() {
  return (
    <Popover label="Panels" class="icon-button" title="Panels" button={<Icon name="panels" />}>
      {(close) => (
        <ul>
          {allPanels().map(({ id, title, icon }) => (
            <li key={id}>
              <button
                type="button"
                class="menu-item"
                onClick={() => {
                  close()
                  openPanel(id)
                }}
              >
                <Icon name={icon} />
                {title}
              </button>
            </li>
          ))}
        </ul>
      )}
    </Popover>
  )
}

function ThemeButton() {
  const other = preferences.value.theme === 'dark' ? 'light' : 'dark'
  const icon = other === 'light' ? 'sun' : 'moon'
  return <IconButton icon={icon} name={`Use the ${other} theme`} onClick={() => void prefer({ theme: other })} />
}

function UserMenu() {
  const staff = user.value?.roles.some((role) => role !== 'trader') ?? false
  return (
    <Popover label="User" class="icon-button" title={user.value?.username ?? ''} button={<Icon name="user" />}>
      {(close) => (
        <>
          <h3>{user.value?.username}</h3>
          <MenuButton text="Settings" run={() => openPanel('settings')} close={close} />
          <MenuButton text="Arrange the panels as at first" run={() => void askToReset()} close={close} />
          <a class="menu-item" href="/api/v2/docs" target="_blank" rel="noreferrer">
            API documentation
          </a>
          {staff && (
            <a class="menu-item" href="/admin/" target="_blank" rel="noreferrer">
              Operations panel
            </a>
          )}
          <MenuButton text="Sign out" run={() => void askToSignOut()} close={close} />
        </>
      )}
    </Popover>
  )
}

function MenuButton({ text, run, close }: { text: string; run: () => void; close: () => void }) {
  const press = () => {
    close()
    run()
  }
  return (
    <button type="button" class="menu-item" onClick={press}>
      {text}
    </button>
  )
}
