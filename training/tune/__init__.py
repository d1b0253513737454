"""Which settings serve this home's customers best?"""
