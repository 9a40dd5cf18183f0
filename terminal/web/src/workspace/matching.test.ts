import { describe, expect, it } from 'vitest'

import { matching } from './matching'

const COMMANDS = ['Option chain', 'Chart', 'Use the light theme'].map((name) => ({ name }))

describe('finding a command', () => {
  it('needs every word to begin one of its words', () => {
    expect(matching(COMMANDS, 'ch').map(({ name }) => name)).toEqual(['Option chain', 'Chart'])
    expect(matching(COMMANDS, 'li th').map(({ name }) => name)).toEqual(['Use the light theme'])
    expect(matching(COMMANDS, 'hart')).toEqual([])
    expect(matching(COMMANDS, ' ')).toHaveLength(3)
  })
})
