"""Write the development accounts as wallet files that both generations of the Python SDK read: one wallet per name, whose
coldkey is `//Name` and whose hotkey `default` is `//Name//hotkey`, in the clear.

Usage: wallets.py DIRECTORY NAME..    (with the SDK 10.5's bittensor-wallet)
"""

import sys
from pathlib import Path

from bittensor_wallet import Keypair, Wallet

directory, names = sys.argv[1], sys.argv[2:]
Path(directory).mkdir(parents=True, exist_ok=True)
for name in names:
    wallet = Wallet(name=name, hotkey="default", path=directory)
    coldkey = Keypair.create_from_uri(f"//{name}")
    hotkey = Keypair.create_from_uri(f"//{name}//hotkey")
    wallet.set_coldkey(coldkey, encrypt=False, overwrite=True)
    wallet.set_coldkeypub(coldkey, overwrite=True)
    wallet.set_hotkey(hotkey, encrypt=False, overwrite=True)
    wallet.set_hotkeypub(hotkey, overwrite=True)
