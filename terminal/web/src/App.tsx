/** Who is not signed in sees the login, who is sees the workspace. */

import { effect } from '@preact/signals'
import { useEffect, useState } from 'preact/hooks'

import { loadSession, preferences, user } from './state/session'
import { ConfirmHost } from './ui/Confirm'
import { ErrorNote, Loading } from './ui/Notes'
import { Login } from './workspace/Login'
import { Workspace } from './workspace/Workspace'

effect(() => {
  document.documentElement.dataset['theme'] = preferences.value.theme
  document.documentElement.dataset['density'] = preferences.value.density
})

export function App() {
  const [error, setError] = useState<unknown>(null)
  const load = () => {
    setError(null)
    loadSession().catch(setError)
  }
  useEffect(load, [])
  if (error) return <ErrorNote error={error} onRetry={load} />
  if (user.value === undefined) return <Loading what="Opening the terminal" />
  if (user.value === null) return <Login />
  return (
    <>
      <Workspace />
      <ConfirmHost />
    </>
  )
}
