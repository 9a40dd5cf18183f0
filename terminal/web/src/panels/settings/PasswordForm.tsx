/** A new password; other sessions end with it. */

import { useState } from 'preact/hooks'

import { api, sentence } from '../../api/rest'
import { Field } from '../../ui/Field'

export function PasswordForm() {
  const [current, setCurrent] = useState('')
  const [fresh, setFresh] = useState('')
  const [error, setError] = useState('')
  const [done, setDone] = useState(false)
  const submit = async (event: Event) => {
    event.preventDefault()
    setError('')
    setDone(false)
    try {
      await api.post('password', { current, new: fresh })
      setCurrent('')
      setFresh('')
      setDone(true)
    } catch (reason) {
      setError(sentence(reason))
    }
  }
  return (
    <form class="settings-block" onSubmit={(event) => void submit(event)} aria-label="Password">
      <h2>Password</h2>
      <Field
        label="Current password"
        type="password"
        autocomplete="current-password"
        value={current}
        onValue={setCurrent}
        required
      />
      <Field
        label="New password"
        type="password"
        autocomplete="new-password"
        hint="Your other sessions end with it."
        error={error}
        value={fresh}
        onValue={setFresh}
        required
      />
      <button type="submit" class="button">
        Change the password
      </button>
      {done && (
        <p class="good-note" role="status">
          The password is changed.
        </p>
      )}
    </form>
  )
}
