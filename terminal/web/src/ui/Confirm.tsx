/** "Are you sure?", from anywhere: `await confirm({...})`. The host is drawn once, by the App. */

import { signal } from '@preact/signals'

import { Button } from './Button'
import { Dialog } from './Dialog'

export interface Question {
  title: string
  text: string
  /** What the button that does it says: "Cancel 3 orders". */
  action: string
  danger?: boolean
}

interface Asked extends Question {
  answer: (yes: boolean) => void
}

const asked = signal<Asked | null>(null)

export function confirm(question: Question): Promise<boolean> {
  asked.value?.answer(false)
  return new Promise((resolve) => {
    asked.value = {
      ...question,
      answer: (yes) => {
        asked.value = null
        resolve(yes)
      },
    }
  })
}

export function ConfirmHost() {
  const question = asked.value
  if (!question) return null
  const actions = (
    <>
      <Button onClick={() => question.answer(false)}>Back</Button>
      <Button tone={question.danger ? 'danger' : 'primary'} autofocus onClick={() => question.answer(true)}>
        {question.action}
      </Button>
    </>
  )
  return (
    <Dialog title={question.title} onClose={() => question.answer(false)} actions={actions}>
      <p>{question.text}</p>
    </Dialog>
  )
}
