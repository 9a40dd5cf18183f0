/** What orders in an instrument may say, read again while a ticket is open: phases change and prices move. */

import { useEffect } from 'preact/hooks'

import { api } from '../../api/rest'
import type { InstrumentKey } from '../../api/types'
import { termsFrom, type Terms, type TermsAnswer } from '../../trading/ticket'
import { useLoaded, type Loaded } from '../../ui/useLoaded'

const AGAIN_MILLISECONDS = 15_000

export function useTerms(instrument: InstrumentKey): Loaded<Terms> {
  const terms = useLoaded(async () => termsFrom(await api.get<TermsAnswer>(`order-terms/${instrument}`)), [instrument])
  useEffect(() => {
    const timer = setInterval(terms.reload, AGAIN_MILLISECONDS)
    return () => clearInterval(timer)
  }, [terms.reload])
  return terms
}
