/** Who is not signed in sees the login, who is sees the workspace. */

import { useEffect } from 'preact/hooks'

import { loadSession, user } from './state/session'
import { Loading } from './ui/Notes'

export function App() {
  useEffect(() => void loadSession(), [])
  if (user.value === undefined) return <Loading what="Opening the terminal" />
  return null
}
