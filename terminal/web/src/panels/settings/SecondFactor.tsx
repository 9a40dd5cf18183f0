/** The authenticator: enrolled in two steps, removed with a code and the password. */

import { useState } from 'preact/hooks'

import { api, sentence } from '../../api/rest'
import { loadSession, user } from '../../state/session'
import { Button } from '../../ui/Button'
import { Field } from '../../ui/Field'

interface Secret {
  secret: string
  otpauth_url: string
}

export function SecondFactor() {
  return (
    <div class="settings-block">
      <h2>Second factor</h2>
      {user.value?.second_factor ? <Remove /> : <Enrol />}
    </div>
  )
}

function Enrol() {
  const [secret, setSecret] = useState<Secret | null>(null)
  const [code, setCode] = useState('')
  const [error, setError] = useState('')
  const attempt = (step: Promise<void>) => step.catch((reason: unknown) => setError(sentence(reason)))
  const begin = async () => setSecret(await api.post<Secret>('second-factor'))
  const confirmCode = async () => {
    await api.post('second-factor/confirm', { code })
    await loadSession()
  }
  if (!secret) {
    return (
      <>
        <p class="dim">Signing in then takes a code of your authenticator beside the password.</p>
        <Button onClick={() => void attempt(begin())}>Enrol an authenticator</Button>
        {error && <p class="field-error">{error}</p>}
      </>
    )
  }
  return (
    <>
      <p>
        Add this key to your authenticator, or <a href={secret.otpauth_url}>open it on this device</a>:
      </p>
      <p class="secret">{secret.secret}</p>
      <Field label="Code that it shows now" inputMode="numeric" value={code} onValue={setCode} error={error} />
      <Button tone="primary" onClick={() => void attempt(confirmCode())}>
        Confirm
      </Button>
    </>
  )
}

function Remove() {
  const [code, setCode] = useState('')
  const [password, setPassword] = useState('')
  const [error, setError] = useState('')
  const remove = async () => {
    try {
      await api.post('second-factor/disable', { code, password })
      await loadSession()
    } catch (reason) {
      setError(sentence(reason))
    }
  }
  return (
    <>
      <p class="dim">An authenticator is enrolled. Removing it takes a code and your password.</p>
      <Field label="Authenticator code" inputMode="numeric" value={code} onValue={setCode} />
      <Field
        label="Password"
        type="password"
        autocomplete="current-password"
        value={password}
        onValue={setPassword}
        error={error}
      />
      <Button tone="danger" onClick={() => void remove()}>
        Remove it
      </Button>
    </>
  )
}
