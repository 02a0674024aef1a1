"""SignalingTokens as an application's own server made them."""

import hashlib
import time

# The app id and certificate of the "auth" server; public test values.
APP_ID = '970CA35de60c44645bbae8a215061b33'
CERTIFICATE = '5CFd2fd1755d40ecb72977518be15d3b'

# What an application sends when its project does not check tokens.
NO_TOKEN = '_no_need_token'


def signaling_token(account, seconds, certificate=CERTIFICATE):
    """A token of `account` that is good for `seconds` from now."""
    expires = int(time.time()) + seconds
    digest = hashlib.md5(f'{account}{APP_ID}{certificate}{expires}'.encode()).hexdigest()
    return f'1:{APP_ID}:{expires}:{digest}'
