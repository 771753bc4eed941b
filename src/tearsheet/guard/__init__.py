"""The reference external risk manager: asks for an account's verdict, believes little, acts once.

It stands alone: the standard library only, and of Tearsheet nothing but its errors, so that it can
run on another machine and be read in one sitting.
"""
