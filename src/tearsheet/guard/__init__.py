"""Reference external risk manager: polls an account's verdict, validates it, runs a command once per breach.

Imports only the standard library and `tearsheet.errors`, so that it can run on another machine and
be audited quickly.
"""
