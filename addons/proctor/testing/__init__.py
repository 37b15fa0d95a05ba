"""For people who test their own rules and clients: a stand-in Messages API and a test issuer.

Nothing here is used by a running gateway. Import the modules themselves: `testing.standin`,
`testing.conversation`, `testing.issuer`, `testing.tls`.
"""
