"""Words with a capital that are no names: what sentences and headings begin with, and software.

No word is among them that is more often a name, such as Will, Mark or Grace. Claude is one, yet his
prompts begin with it.
"""

from typing import Final

_SENTENCES: Final = """
    a about above according add added adds after again all allow allows also although always an
    and another any api are args argument arguments array as ask asks at attribute author
    authors available avoid based be because been before below between bool both branch bug
    build but by bytes call called calls can cannot case change changed changelog changes check
    checks class classes click code command commands comment commit config configuration
    contributors copy copyright could create created creates data default defaults define delete
    deprecated description details dev dict directory do documentation does don't done each edit
    either else email enable ensure error errors even every everything example examples
    exception execute false field file files find first fix fixed fixes float follow following
    for format found from function functions general get gets give given good handle has have he
    hello help her here hi his home how however i if ignore implement import important in
    include included includes index information input insert install installation instead int
    internal into introduction is issue issues it items its just keep key keys know last later
    let level library license like line lines link list load log login look made main maintainer
    make makes many may message method methods mode model module more most move much must my
    name need needs never new next no none not note notes nothing now null number object of off
    ok on once one only open option optional options or order other others otherwise our out
    output over package page parameter parameters parse part pass password path please project
    prompt provide provided provides public put question raise raises read readme reads release
    released remove removed removes replace report request requests required requires reset
    response result results return returned returns root rule rules run running runs same save
    search second section see select send server session set sets setting settings setup she
    should show shows similar simple since skip so some something source start starts state
    status step steps still stop str string style such summary support supported supports sure
    system table take task tasks test tests text than thank thanks that the their them then
    there therefore these they thing things this those three through time title to todo together
    tool tools true try two type types under unless until up update updated updates upgrade url
    usage use used user users uses using usually value values version very view wait want
    warning was we well were what when where whether which while who why with within without
    work works would write writes yes you your zero
"""

_DATES: Final = """
    january february march may july september october november december monday tuesday wednesday
    thursday friday saturday sunday
"""

_SOFTWARE: Final = """
    agent agents android angular ansible anthropic apache apple assistant aws azure bash
    bitbucket chatgpt chrome claude cloudflare cobol conda copilot cron cursor cython debian
    django docker dockerfile eclipse elasticsearch excel express fastapi fedora firefox flask
    flutter fortran gemini gentoo git github gitlab glob golang google gradle grafana graphql
    grep hadoop haiku haskell helm heroku homebrew html http https hypothesis intel ios java
    javascript jenkins jest jinja jira jquery json jupyter kafka keycloak kotlin kubernetes
    lambda laravel linux lisp lua mac macos makefile markdown maven mercurial microsoft
    mitmproxy mongo mongodb mozilla mypy mysql netlify nginx node nodejs numpy oauth openai opus
    oracle pandas perl pip pipenv poetry postgres postgresql powershell presidio prettier
    prometheus pydantic pylint pypi pypy pytest python pytorch rails react redhat redis redux
    ruby ruff rust rustc safari scala selenium sentry slack sonnet sphinx splunk sql sqlite
    starlette stripe sublime svelte swagger swift tensorflow terraform tkinter tomcat trino
    typescript ubuntu ulid unicode unix uvicorn vercel vim vite vue webhook webpack websocket
    wikipedia windows xcode xml yaml yarn zig zsh
"""

NO_NAMES: Final = frozenset(f"{_SENTENCES} {_DATES} {_SOFTWARE}".split())
"""In lower case."""
