/** Everything after the login: bar, banners, dock, palette, notifications. Connects while it is shown. */

import { useEffect } from 'preact/hooks'

import { loadAccounts } from '../state/accounts'
import { followMarketStatus } from '../state/marketStatus'
import { loadLayout, user } from '../state/session'
import { connect, connection, disconnect, hurry, subscribe } from '../state/store'
import { ErrorNote, Loading } from '../ui/Notes'
import { useLoaded } from '../ui/useLoaded'
import { Banners } from './Banners'
import { DockHost } from './Dock'
import { Palette } from './Palette'
import { listenToKeys } from './shortcuts'
import { Toasts } from './Toasts'
import { TopBar } from './TopBar'

export function Workspace() {
  const loaded = useLoaded(() => Promise.all([loadLayout(), loadAccounts()]), [])
  useConnection()
  useEffect(listenToKeys, [])
  useEffect(followMarketStatus, [])
  if (loaded.error) return <ErrorNote error={loaded.error} onRetry={loaded.reload} />
  if (!loaded.value) return <Loading what="Opening your workspace" />
  return (
    <div class="workspace">
      <TopBar />
      <Banners />
      <DockHost />
      <Palette />
      <Toasts />
    </div>
  )
}

function useConnection(): void {
  const id = user.value?.id
  useEffect(() => {
    const release = subscribe(`user.${id}`)
    connect()
    addEventListener('online', hurry)
    document.addEventListener('visibilitychange', hurry)
    return () => {
      removeEventListener('online', hurry)
      document.removeEventListener('visibilitychange', hurry)
      release()
      disconnect()
    }
  }, [id])
  useEffect(() => {
    if (connection.value === 'SIGNED_OUT') user.value = null
  }, [connection.value])
}
