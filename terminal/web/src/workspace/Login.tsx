/** User name and password, and the authenticator's code when the server asks for one. */

import { useState } from 'preact/hooks'

import { ApiError, sentence } from '../api/rest'
import { signIn } from '../state/session'
import { Field } from '../ui/Field'

const ASKS_FOR_CODE = new Set(['SECOND_FACTOR_REQUIRED', 'SECOND_FACTOR_WRONG'])

export function Login() {
  const [name, setName] = useState('')
  const [password, setPassword] = useState('')
  const [code, setCode] = useState('')
  const [asksCode, setAsksCode] = useState(false)
  const [error, setError] = useState('')
  const [busy, setBusy] = useState(false)

  const refuse = (reason: unknown) => {
    const needsCode = reason instanceof ApiError && ASKS_FOR_CODE.has(reason.code)
    const first = needsCode && !asksCode
    setAsksCode(asksCode || needsCode)
    setError(first ? '' : sentence(reason))
    setBusy(false)
  }
  const submit = (event: Event) => {
    event.preventDefault()
    setBusy(true)
    setError('')
    signIn(name, password, code).catch(refuse)
  }

  return (
    <main class="login">
      <form class="login-card" onSubmit={submit} aria-labelledby="login-title">
        <h1 id="login-title">Broking Terminal</h1>
        <Field label="User name" name="username" autocomplete="username" value={name} onValue={setName} autofocus required />
        <Field
          label="Password"
          name="password"
          type="password"
          autocomplete="current-password"
          value={password}
          onValue={setPassword}
          required
        />
        {asksCode && (
          <Field
            label="Authenticator code"
            name="code"
            inputMode="numeric"
            autocomplete="one-time-code"
            hint="The six digits that your authenticator shows now."
            value={code}
            onValue={setCode}
            maxLength={16}
            autofocus
            required
          />
        )}
        {error && (
          <p class="alert" role="alert">
            {error}
          </p>
        )}
        <button type="submit" class="button button-primary" disabled={busy} aria-busy={busy}>
          {busy ? 'Signing in …' : 'Sign in'}
        </button>
      </form>
    </main>
  )
}
