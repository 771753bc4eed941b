"""`python -m trading_bot.performance …` is `tearsheet summary …`."""

import sys

from tearsheet.cli import main

if __name__ == "__main__":
    sys.exit(main(["summary", *sys.argv[1:]], program="python -m trading_bot.performance"))
